"""Builds a mail: a template and its values become a message with a text and an HTML part."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ragauth.config import Settings
from ragauth.models import OutboxRow
from ragauth.security.emails import split_address
from ragauth.services.mail.queue import Letter


def compose(mail: OutboxRow, letter: Letter, settings: Settings) -> EmailMessage:
    """The message.

    Its Message-ID is made of the mail's id, so that a receiver recognises a second copy.
    """
    name, sender = parseaddr(settings.mail_from)
    sender_name, sender_domain = split_address(sender)
    values = {
        "brand": name or sender_domain,
        "dashboard_url": settings.dashboard_url,
        "until": mail.expires_at.strftime("%d %B %Y, %H:%M UTC"),
        **letter.values,
    }
    text = _templates().get_template(f"{mail.template}.txt").render(values)
    subject, _, text = text.partition("\n\n")
    html = _templates().get_template(f"{mail.template}.html").render(values)

    recipient_name, recipient_domain = split_address(letter.to)
    message = EmailMessage(policy=SMTP if recipient_name.isascii() else SMTPUTF8)
    # Without the account's name, which is unchecked text; the address has been checked.
    message["To"] = Address(username=recipient_name, domain=recipient_domain)
    message["From"] = Address(name, username=sender_name, domain=sender_domain)
    message["Subject"] = subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.id}@{sender_domain}>"
    # RFC 3834: asks for no automatic replies.
    message["Auto-Submitted"] = "auto-generated"
    # Unencoded if possible, so that a link in a file of the mail folder can be copied.
    message.set_content(text, cte="7bit" if text.isascii() else None)
    message.add_alternative(html, subtype="html", cte="7bit" if html.isascii() else None)
    return message


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("ragauth", "templates/mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
