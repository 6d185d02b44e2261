"""S41: what really arrives at one address when everything that causes mail is called at once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import PASSWORD, Service, User, at_once
from tests.e2e.test_mail import read_mail_code
from tests.factories.mails import read_mail
from tests.servers.smtp import SmtpServer, start_smtp
from tests.waiting import wait_until

RESET = "Set a new password"


def arrived(smtp: SmtpServer, email: str) -> Counter[str]:
    """What came for the address, in whichever spelling."""
    return Counter(
        read_mail(delivery.content).subject
        for delivery in list(smtp.deliveries)
        if [recipient.casefold() for recipient in delivery.recipients] == [email.casefold()]
    )


def confirm(service: Service, smtp: SmtpServer, user: User) -> None:
    wait_until(lambda: bool(arrived(smtp, user.email)))
    (content,) = [one.content for one in smtp.deliveries if one.recipients == [user.email]]
    body = {"token": read_mail_code(content)}
    assert service.client.post("/api/auth/email/verify", json=body).is_success


def test_one_recipient_gets_a_bounded_number_of_mails_whatever_causes_them(
    tmp_path: Path, new_installation: NewInstallation
) -> None:
    """S41: ten and five, over two workers; an unconfirmed address has no notices among them."""
    installation = new_installation("postgres")
    with (
        start_smtp(tmp_path) as smtp,
        installation.serve(
            workers=2, RAGAUTH_MAIL_URL=smtp.url, RAGAUTH_COMPAT="ragchats,rst"
        ) as service,
    ):
        unconfirmed = service.sign_up(plan="scale")
        confirmed = service.sign_up(plan="scale")
        strangers = [service.sign_up() for _ in range(3)]
        confirm(service, smtp, confirmed)

        def ask(user: User, path: str, body: dict[str, Any] | None = None) -> Callable[[], object]:
            return lambda: user.request("POST", path, json=body)

        def spam(victim: User) -> list[Callable[[], object]]:
            change = {"new_email": victim.email.upper(), "password": PASSWORD}
            _, key_of_victim = victim.create_key()
            return [
                *[ask(victim, "/api/auth/api-key/regenerate")] * 6,
                *[ask(victim, "/api/auth/api-keys", {"name": "more"})] * 4,
                *[ask(victim, "/compat/rst/v1/auth/api-keys", {"name": "more"})] * 4,
                *[ask(victim, "/api/auth/email/resend")] * 6,
                *[ask(victim, "/api/auth/password/forgot", {"email": victim.email})] * 5,
                *[ask(stranger, "/api/auth/email/change", change) for stranger in strangers],
                lambda: service.client.post("/api/v1/keys/revoke", json={"key": key_of_victim}),
            ]

        at_once([*spam(unconfirmed), *spam(confirmed)])
        # Other processes find what waits within two seconds.
        wait_until(lambda: arrived(smtp, unconfirmed.email)[RESET] == 3, every_seconds=0.1)
        wait_until(
            lambda: sum(arrived(smtp, confirmed.email).values()) == 10 + 3, every_seconds=0.1
        )
        wait_until(lambda: not waits(service), every_seconds=0.1)

        to_unconfirmed = arrived(smtp, unconfirmed.email)
        assert set(to_unconfirmed) <= {
            "Confirm your email address",
            "Confirm your new email address",
            RESET,
        }
        assert to_unconfirmed[RESET] == 3
        assert sum(to_unconfirmed.values()) <= 10 + 3
        assert arrived(smtp, confirmed.email)[RESET] == 3
        assert sum(arrived(smtp, confirmed.email).values()) == 10 + 3
        assert "a mail was left out" in service.gunicorn.log()
        assert "Traceback" not in service.gunicorn.log()


def waits(service: Service) -> bool:
    """Whether there is mail that could have been dealt with by now."""
    page = service.client.get("/metrics").text
    (line,) = [line for line in page.splitlines() if line.startswith("ragauth_outbox_mails ")]
    return float(line.split()[1]) > 0
