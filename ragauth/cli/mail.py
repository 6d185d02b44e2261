"""Operators' command for waiting mail."""

from dataclasses import asdict

from ragauth.cli.output import Group, as_json_option, one_line_faults, print_record
from ragauth.services.accounts import password_reset
from ragauth.services.mail import sending

mail = Group("mail", help="Send waiting mail from the outbox.")


@mail.command("send")
@as_json_option
def send(as_json: bool) -> None:
    """Send the mail that is due now, once; a running service does so by itself."""
    with one_line_faults():
        done = sending.send_due_mail(answer_reset=password_reset.answer_request)
    counts = asdict(done)
    # The log has the cause of each mail's failure.
    del counts["cause"]
    print_record(counts, as_json=as_json)
