"""Mail as its receiver reads it."""

import email
import email.policy
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from ragauth.extensions import settings
from tests.clients import Client, Member, ok
from tests.factories.commands import run

_TOKEN = re.compile(r"#token=([\w-]+)")


@dataclass(frozen=True, slots=True)
class Mail:
    """What arrived."""

    to: str
    sender: str
    subject: str
    text: str
    html: str

    @property
    def token(self) -> str:
        """The token of its link."""
        (token,) = _TOKEN.findall(self.text)
        assert _TOKEN.findall(self.html) == [token]
        return str(token)


def read_mail(content: bytes) -> Mail:
    message = email.message_from_string(content.decode(), policy=email.policy.SMTPUTF8)
    assert message.defects == []
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return Mail(
        to=str(message["To"]),
        sender=str(message["From"]),
        subject=str(message["Subject"]),
        text=text.get_content().replace("\r\n", "\n"),
        html=html.get_content(),
    )


def outbox_folder(app: Flask) -> Path:
    with app.app_context():
        return settings().instance_dir / "outbox"


def receive_mail(app: Flask) -> list[Mail]:
    """The mails since the last time, in the order in which they were queued."""
    run(app, "mail", "send")
    mails = []
    for path in sorted(outbox_folder(app).glob("*.eml")):
        mails.append(read_mail(path.read_bytes()))
        path.unlink()
    return mails


def receive_one(app: Flask, subject: str) -> Mail:
    """The one mail with this subject, of those since the last time."""
    mails = receive_mail(app)
    (found,) = [mail for mail in mails if mail.subject == subject]
    return found


def confirm_address(member: Member) -> None:
    """Prove the member's address with the mail of the signup; whatever else waited is read too."""
    app = member.client.app
    (token,) = {
        mail.token
        for mail in receive_mail(app)
        if (mail.to, mail.subject) == (member.email, "Confirm your email address")
    }
    ok(Client(app).post("/api/auth/email/verify", {"token": token}), 204)
