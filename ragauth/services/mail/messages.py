"""Builds a mail: a template and its values become a message with a text and an HTML part.

It is written as it goes over the wire, since its form is always the same; `email.message` would
parse and fold each header of each part anew, which takes most of the time of sending a mail.
Sources: RFC 5322, RFC 2045, RFC 2046 section 5.1, RFC 6532.
"""

from binascii import b2a_qp
from dataclasses import dataclass
from email.headerregistry import Address
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ragauth.config import Settings
from ragauth.models import OutboxRow
from ragauth.security.emails import split_address
from ragauth.services.mail.queue import Letter


@dataclass(frozen=True, slots=True)
class Mail:
    """A message and its envelope. `content` has CRLF as its line ends.

    `is_international`: the recipient's name is not in ASCII, which not every server takes (RFC
    6531).
    """

    sender: str
    recipient: str
    content: bytes
    is_international: bool


def compose(mail: OutboxRow, letter: Letter, settings: Settings) -> Mail:
    """The message; raises ValueError for an address that no header can hold.

    Its Message-ID is made of the mail's id, so that a receiver recognises a second copy.
    """
    sender = _sender(settings.mail_from)
    values = {
        "brand": sender.display_name or sender.domain,
        "dashboard_url": settings.dashboard_url,
        "until": mail.expires_at.strftime("%d %B %Y, %H:%M UTC"),
        **letter.values,
    }
    text = _templates().get_template(f"{mail.template}.txt").render(values)
    subject, _, text = text.partition("\n\n")
    html = _templates().get_template(f"{mail.template}.html").render(values)

    # Without the account's name, which is unchecked text; the address has been checked.
    recipient = Address("", *split_address(letter.to)).addr_spec
    # No text has the mail's own id in it.
    boundary = f"={mail.id.hex}="
    head = (
        f"To: {recipient}\r\n"
        f"{_from_header(settings.mail_from)}"
        f"{_subject_header(subject)}"
        f"Date: {format_datetime(mail.created_at)}\r\n"
        f"Message-ID: <{mail.id}@{sender.domain}>\r\n"
        # RFC 3834: asks for no automatic replies.
        "Auto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'
    )
    parts = "".join(
        f'\r\n--{boundary}\r\nContent-Type: text/{kind}; charset="utf-8"\r\n{_body(words)}'
        for kind, words in (("plain", text), ("html", html))
    )
    return Mail(
        sender=sender.addr_spec,
        recipient=recipient,
        content=f"{head}{parts}\r\n--{boundary}--\r\n".encode(),
        is_international=not recipient.isascii(),
    )


def _body(words: str) -> str:
    """The last header of a part, and its text, unencoded if possible.

    So that a link in a file of the mail folder can be copied.
    """
    lines = words.replace("\n", "\r\n")
    if lines.isascii():
        return f"Content-Transfer-Encoding: 7bit\r\n\r\n{lines}"
    encoded = b2a_qp(lines.encode()).decode("ascii")
    return f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{encoded}"


@lru_cache(maxsize=4)
def _from_header(mail_from: str) -> str:
    return str(SMTP.fold(*SMTP.header_store_parse("From", _sender(mail_from))))


@lru_cache(maxsize=64)
def _subject_header(subject: str) -> str:
    """Raises ValueError for a subject of several lines."""
    return str(SMTP.fold(*SMTP.header_store_parse("Subject", subject)))


@lru_cache(maxsize=4)
def _sender(mail_from: str) -> Address:
    """The name and the address in RAGAUTH_MAIL_FROM."""
    name, address = parseaddr(mail_from)
    return Address(name, *split_address(address))


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("ragauth", "templates/mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Otherwise it looks at all files of a template at each mail.
        auto_reload=False,
    )
