"""Mail: which mail goes to whom, queued in the transaction that causes it.

It is sent after the commit (`ragauth.services.mail.sending`). No text that a user typed (a name, a
key's name) goes into a mail: otherwise a signup with a stranger's address could carry a message to
that stranger. The one exception is the URL where a key was found in public: GitHub signed it, the
address is a confirmed one, and the URL is shown inert (`security.outside_urls`).
"""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ragauth import clock, transaction
from ragauth.extensions import current, settings
from ragauth.models import Account, OutboxRow
from ragauth.models import outbox as mail_rows
from ragauth.security.identifiers import new_uuid
from ragauth.security.sealing import seal, unseal
from ragauth.services.audit import Client
from ragauth.services.outbox.bell import Bell

# A notice is still worth sending after a mail server was down for a long weekend.
NOTICE_LIFETIME = timedelta(days=3)
_SEAL_PURPOSE = "ragauth outbox"


class MailTemplate(StrEnum):
    """The mails; each has a `.txt` and a `.html` file in `templates/mail/`."""

    VERIFY_EMAIL = "verify_email"
    CHANGE_EMAIL = "change_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a name, not a secret
    EMAIL_CHANGE_REQUESTED = "email_change_requested"
    EMAIL_CHANGED = "email_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    PASSWORD_RESET = "password_reset"  # noqa: S105
    SECOND_FACTOR_ADDED = "second_factor_added"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    RECOVERY_CODE_USED = "recovery_code_used"
    KEY_CREATED = "key_created"
    KEY_LEAKED = "key_leaked"
    SESSION_ENDED = "session_ended"
    LIMIT_WARNED = "limit_warned"
    LIMIT_REACHED = "limit_reached"


# The only mails that an unconfirmed address gets: it may be a stranger's, and a stranger must not
# learn what happens in this account.
_FOR_UNCONFIRMED = frozenset(
    {MailTemplate.VERIFY_EMAIL, MailTemplate.CHANGE_EMAIL, MailTemplate.RESET_PASSWORD}
)

# Not a mail yet, but a request for a reset mail to an address that may belong to no account.
RESET_REQUEST = "reset_request"


@dataclass(frozen=True, slots=True)
class Letter:
    """The recipient and the template's values; sealed in the outbox."""

    to: str
    values: dict[str, str]


def queue_mail(
    *, template: MailTemplate, account: Account, to: str, lifetime: timedelta, **values: str
) -> None:
    """Queue a mail in the present transaction; it is given up after its `lifetime`.

    An unconfirmed address gets confirmations and resets only. How many mails an address gets is
    decided when they are sent (`budget`).
    """
    if not account.email_verified and template not in _FOR_UNCONFIRMED:
        return
    add_letter(template.value, account.id, Letter(to, values), lifetime)


def queue_notice(
    *, template: MailTemplate, account: Account, client: Client, **values: str
) -> None:
    """Queue a notice to the account's owner: what happened, when, and from which address.

    In the present transaction.
    """
    if account.email is not None:
        at = clock.now().strftime("%d %B %Y, %H:%M UTC")
        queue_mail(
            template=template,
            account=account,
            to=account.email,
            lifetime=NOTICE_LIFETIME,
            at=at,
            ip=client.ip or "",
            **values,
        )


def tell_of_key(account: Account, *, prefix: str, client: Client) -> None:
    """Notify the owner of a new key: a thief may have made it."""
    queue_notice(template=MailTemplate.KEY_CREATED, account=account, client=client, prefix=prefix)


def add_letter(
    template: str,
    account_id: uuid.UUID | None,
    letter: Letter,
    lifetime: timedelta,
    *,
    due_at: datetime | None = None,
) -> None:
    """Add a row to the outbox, and wake the sender after the commit.

    In the present transaction. The mail is due now, or at `due_at`; its lifetime and its waiting
    time begin then.
    """
    now = due_at or clock.now()
    mail_id = new_uuid()
    plain = json.dumps({"to": letter.to, "values": letter.values}).encode()
    mail_rows.add(
        id=mail_id,
        account_id=account_id,
        template=template,
        sealed=seal(
            plain,
            secret_key=settings().secret_key,
            purpose=_SEAL_PURPOSE,
            context=mail_id.bytes,
        ),
        attempts=0,
        next_attempt_at=now,
        expires_at=now + lifetime,
        created_at=now,
    )
    transaction.when_committed(mail_bell().ring)


def open_letter(mail: OutboxRow) -> Letter:
    """Open a sealed letter; raises SealBroken if the secret that sealed it is not configured."""
    plain = unseal(
        mail.sealed,
        secret_keys=[settings().secret_key, *settings().old_secret_keys],
        purpose=_SEAL_PURPOSE,
        context=mail.id.bytes,
    )
    return Letter(**json.loads(plain))


def withdraw_mail(*, account_id: uuid.UUID, templates: list[MailTemplate] | None = None) -> None:
    """Delete unsent mails of an account, of some templates or all.

    In the present transaction. With unsent reset mails, a waiting request for one is deleted too.
    """
    names = None if templates is None else [template.value for template in templates]
    if names is not None and MailTemplate.RESET_PASSWORD in names:
        names.append(RESET_REQUEST)
    mail_rows.remove_of_account(account_id, templates=names)


def mail_bell() -> Bell:
    """The bell that this process rings after it committed a mail."""
    bell: Bell = current().mail_bell
    return bell
