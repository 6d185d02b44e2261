"""Mail as its receiver reads it."""

import email
import re
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from flask import Flask

from ragauth.extensions import settings
from ragauth.services.accounts.password_reset import answer_request
from ragauth.services.mail.sending import send_due_mail
from tests.clients import Client, Member, ok

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
    """Of a mail with a text and the same as a page.

    By the parser's old policy, which is many times as fast; tests/unit/test_mail_messages.py reads
    the headers by the new one.
    """
    message = email.message_from_bytes(content)
    parts = {part.get_content_type(): part for part in message.walk()}
    assert list(parts) == ["multipart/alternative", "text/plain", "text/html"]
    assert [part.defects for part in parts.values()] == [[], [], []]
    # From text: a header may have more than ASCII in it as it is.
    headers = HeaderParser().parsestr(content.decode())
    return Mail(
        to=_header(headers, "To"),
        sender=_header(headers, "From"),
        subject=_header(headers, "Subject"),
        text=_content(parts["text/plain"]).replace("\r\n", "\n"),
        html=_content(parts["text/html"]),
    )


def _header(headers: Message, name: str) -> str:
    (value,) = headers.get_all(name, [])
    return str(make_header(decode_header(re.sub(r"\r?\n(?=[ \t])", "", value))))


def _content(part: Message) -> str:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode(part.get_content_charset("ascii"))


def outbox_folder(app: Flask) -> Path:
    with app.app_context():
        return settings().instance_dir / "outbox"


def receive_mail(app: Flask) -> list[Mail]:
    """The mails since the last time, in the order in which they were queued."""
    with app.app_context():
        send_due_mail(answer_reset=answer_request)
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
