"""Operators' command for mail that waits."""

from dataclasses import asdict

from ragauth.cli.output import Group, as_json_option, one_line_faults, print_record
from ragauth.services.accounts import password_reset
from ragauth.services.mail import outbox

mail = Group("mail", help="Send the mail that waits in the outbox.")


@mail.command("send")
@as_json_option
def send(as_json: bool) -> None:
    """Send what is due now, once; running services do so by themselves."""
    with one_line_faults():
        done = outbox.send_due_mail(answer_reset=password_reset.answer_request)
    counts = asdict(done)
    # The log has the cause of each mail's failure.
    del counts["cause"]
    print_record(counts, as_json=as_json)
