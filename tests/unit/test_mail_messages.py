"""How a mail looks: every template, in text and HTML, whatever stands in it."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from ragauth.models import OutboxRow
from ragauth.security.identifiers import new_uuid
from ragauth.services.mail.messages import compose
from ragauth.services.mail.queue import Letter, MailTemplate
from tests.applications import make_settings
from tests.cases import for_each

SETTINGS = make_settings(Path("/nowhere"), "sqlite:////nowhere/ragauth.db")
VALUES = {
    "token": "a-token",
    "at": "22 November 2026, 10:00 UTC",
    "ip": "192.0.2.7",
    "prefix": "rag_live_a1b2",
    "new_email": "new@example.com",
    "left": "four",
    "ended_keys": "17",
    "ended_agents": "18",
    "ended_second_factors": "1",
    "keys": "test keys",
    "used": "160,000",
    "size": "200,000",
    "meter": "tokens",
    "window": "month",
    "anew": "1 December 2026, 00:00 UTC",
    "place": "https://github.com/octocat/hello/app.py",
    "link": "https://github.com/octocat/hello/app.py",
    "revoked": "revoked",
}
QUEUED_AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def write(
    template: MailTemplate, to: str = "ada@example.com", **changes: str | None
) -> EmailMessage:
    """The message as its receiver parses it."""
    mail = OutboxRow(
        id=new_uuid(),
        template=template.value,
        created_at=QUEUED_AT,
        expires_at=QUEUED_AT + timedelta(minutes=30),
    )
    settings = {name: value for name, value in changes.items() if name not in VALUES}
    values = VALUES | {name: value or "" for name, value in changes.items() if name in VALUES}
    message = compose(mail, Letter(to, values), replace(SETTINGS, **settings))
    parsed = email.message_from_string(message.content.decode(), policy=email.policy.SMTPUTF8)
    assert isinstance(parsed, EmailMessage)
    assert parsed.defects == []
    return parsed


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content().replace("\r\n", "\n"), html.get_content()


class TestEveryTemplate:
    @for_each("template", MailTemplate)
    def test_it_says_the_same_in_text_and_html(self, template: MailTemplate) -> None:
        message = write(template)
        text, html = parts(message)
        subject = message["Subject"]
        assert subject
        assert f"<title>{subject}</title>" in html
        assert "If " in text
        for told in ("ragauth", *VALUES.values()):
            assert (told in text) == (told in html), told
        # Well set: no line twice empty, none at the ends.
        assert "\n\n\n" not in text
        assert text == text.strip() + "\n"
        assert "{" not in text

    @for_each("template", MailTemplate)
    def test_it_is_addressed_and_marked_as_automatic(self, template: MailTemplate) -> None:
        message = write(template)
        assert message["To"] == "ada@example.com"
        assert message["From"] == "ragauth <no-reply@ragauth.test>"
        assert message["Date"] == "Sun, 22 Nov 2026 10:00:00 +0000"
        assert message["Message-ID"].endswith("@ragauth.test>")
        assert message["Auto-Submitted"] == "auto-generated"

    @for_each("template", MailTemplate)
    def test_nothing_in_it_becomes_markup(self, template: MailTemplate) -> None:
        strange = '"><img src=x>'
        _, html = parts(write(template, **dict.fromkeys(VALUES, strange)))
        assert "<img" not in html


@pytest.mark.parametrize(
    ("template", "path"),
    [
        (MailTemplate.VERIFY_EMAIL, "/verify-email"),
        (MailTemplate.CHANGE_EMAIL, "/verify-email"),
        (MailTemplate.RESET_PASSWORD, "/reset-password"),
    ],
)
class TestLinks:
    def test_the_token_stands_in_the_fragment(self, template: MailTemplate, path: str) -> None:
        """S8: what follows a # is sent to no server, so it is in no log."""
        text, html = parts(write(template, dashboard_url="https://app.test/a"))
        assert f"\n  https://app.test/a{path}#token=a-token\n" in text
        assert f'href="https://app.test/a{path}#token=a-token"' in html

    def test_without_a_dashboard_it_is_a_code(self, template: MailTemplate, path: str) -> None:
        text, html = parts(write(template, dashboard_url=None))
        assert "\n  a-token\n" in text
        assert ">a-token<" in html
        assert path not in text + html

    def test_it_says_until_when(self, template: MailTemplate, path: str) -> None:
        assert "22 November 2026, 10:30 UTC" in parts(write(template))[0]


class TestHeaders:
    def test_an_address_cannot_add_a_line(self) -> None:
        with pytest.raises(ValueError, match=r"CR|LF|newline|linefeed"):
            write(MailTemplate.VERIFY_EMAIL, to="ada@example.com\r\nBcc: eve@example.com")

    @pytest.mark.parametrize(
        "to", ["a.b+c@example.com", "o'hara@example.com", "jürgen@example.com"]
    )
    def test_an_odd_address_stays_one_address(self, to: str) -> None:
        (address,) = write(MailTemplate.VERIFY_EMAIL, to=to)["To"].addresses
        assert address.addr_spec == to

    def test_a_domain_in_another_script_is_written_in_ascii(self) -> None:
        assert write(MailTemplate.VERIFY_EMAIL, to="a@bücher.example")["To"] == (
            "a@xn--bcher-kva.example"
        )

    @pytest.mark.parametrize(
        ("mail_from", "brand"),
        [
            ('"Bücher, Inc." <no-reply@books.example>', "Bücher, Inc."),
            ("no-reply@books.example", "books.example"),
            ('"A & B" <no-reply@books.example>', "A & B"),
        ],
    )
    def test_the_senders_name_is_whom_the_mail_speaks_of(self, mail_from: str, brand: str) -> None:
        message = write(MailTemplate.VERIFY_EMAIL, mail_from=mail_from)
        (sender,) = message["From"].addresses
        assert sender.addr_spec == "no-reply@books.example"
        assert f"An account at {brand} was made" in parts(message)[0]


def test_a_typed_address_stands_apart() -> None:
    """S46: an address of letters that run from right to left turns no word around it."""
    typed = "\u05e9\u05e8\u05d4@\u05d3\u05d5\u05d2\u05de\u05d4.example"
    text, html = parts(write(MailTemplate.EMAIL_CHANGE_REQUESTED, new_email=typed))
    assert f"<bdi>{typed}</bdi>" in html
    assert f"  {typed}" in text.splitlines()
