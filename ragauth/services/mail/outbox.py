"""The outbox: sends what is due, tries failed mail again later, gives up expired mail.

Each mail is sent at least once: a sender that dies between the server's acceptance and the removal
of the row leaves a mail that is sent again, with the same Message-ID.
"""

import logging
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta

from ragauth import clock, transaction
from ragauth.errors import ExternalServiceUnavailable, RateLimitExceeded
from ragauth.extensions import settings
from ragauth.models import OutboxMail
from ragauth.models import outbox as mail_rows
from ragauth.security.sealing import SealBroken
from ragauth.services import audit
from ragauth.services.audit import Client, EventName
from ragauth.services.mail import budget
from ragauth.services.mail.messages import compose
from ragauth.services.mail.queue import RESET_REQUEST, Letter, MailTemplate, open_letter
from ragauth.services.mail.transport import MailTransport, mail_transport
from ragauth.services.troubles import MAIL_FOLDER, MAIL_SERVER, SEALS

log = logging.getLogger("ragauth")

# Longer than sending one mail can take with all time-outs; after that its sender is taken for dead.
_CLAIM = timedelta(minutes=2)
# How many are read at a time.
_AT_ONCE = 20
_FIRST_DELAY_SECONDS = 2
_LONGEST_DELAY_SECONDS = 300
# A reset may wait for its place this long. A mail that is due later was postponed under a wrong
# clock.
_LONGEST_WAIT = budget.RESET_LIFETIME
_SERVICE = Client(ip=None, user_agent="mail")


@dataclass
class Round:
    """What became of the mails that were due."""

    sent: int = 0
    postponed: int = 0
    given_up: int = 0
    #: Why mails were postponed, one of the causes in `troubles`.
    cause: str | None = field(default=None, compare=False)


def send_due_mail(
    *,
    answer_reset: Callable[[uuid.UUID, Letter], None],
    is_stopping: Callable[[], bool] = lambda: False,
) -> Round:
    """Send all mail that is due, or stop when the mail server is unreachable.

    `answer_reset` answers a row that asks for a reset mail (`password_reset.answer_request`). Any
    number of processes may run it at once: each mail is claimed by one of them.
    """
    done = Round()
    with closing(mail_transport(settings())) as transport:
        while not is_stopping():
            with transaction.read_only():
                now = clock.now()
                due = mail_rows.list_due(now=now, latest=now + _LONGEST_WAIT, limit=_AT_ONCE)
            for mail in due:
                if is_stopping() or (
                    # Another sender may have claimed it since it was read.
                    _claim(mail) and not _handle(mail, transport, done, answer_reset)
                ):
                    return done
            # A request that was answered has queued a mail.
            if len(due) < _AT_ONCE and all(mail.template != RESET_REQUEST for mail in due):
                break
    return done


def has_failed_mail() -> bool:
    """Whether any mail that could not be sent waits for its next try."""
    with transaction.read_only():
        return mail_rows.has_failed()


def _claim(mail: OutboxMail) -> bool:
    with transaction.unit_of_work():
        return mail_rows.claim(mail.id, attempts=mail.attempts, until=clock.now() + _CLAIM)


def _handle(
    mail: OutboxMail,
    transport: MailTransport,
    done: Round,
    answer_reset: Callable[[uuid.UUID, Letter], None],
) -> bool:
    """Process a claimed row; False if it is of no use to try the next one."""
    if mail.expires_at <= clock.now():
        _give_up(mail, "expired")
        done.given_up += 1
        return True
    try:
        letter = open_letter(mail)
    except SealBroken as error:
        # Not given up: the operator may add the missing secret to RAGAUTH_OLD_SECRET_KEYS.
        _postpone(mail, str(error))
        done.postponed += 1
        done.cause = SEALS
        return True
    try:
        if mail.template == RESET_REQUEST:
            answer_reset(mail.id, letter)
            return True
        return _send(mail, letter, transport, done)
    except ExternalServiceUnavailable as error:
        # No counter answers, so it is unknown how many mails the recipient got.
        _postpone(mail, type(error).__name__)
        done.postponed += 1
        return True


def _send(mail: OutboxMail, letter: Letter, transport: MailTransport, done: Round) -> bool:
    # A reset mail was counted when it took its place (`budget`), before its token was made.
    is_reset = mail.template == MailTemplate.RESET_PASSWORD
    counted_until_ms = 0
    try:
        throttle = budget.mails_of_recipient(letter.to)
        if not is_reset:
            counted_until_ms = throttle.take()
        message = compose(mail, letter, settings())
    except ValueError:
        # No header can hold the address. Give the mail up, so that it does not block the others.
        _give_up(mail, "malformed")
        done.given_up += 1
        return True
    except RateLimitExceeded:
        _leave_out(mail)
        done.given_up += 1
        return True
    try:
        refusal = transport.deliver(message, str(mail.id))
    except OSError as error:
        throttle.give_back(counted_until_ms)
        # The server's text may quote the mail, so log only the error's class and code.
        code = getattr(error, "smtp_code", None)
        _postpone(mail, type(error).__name__ + (f" {code}" if code else ""))
        done.postponed += 1
        done.cause = MAIL_FOLDER if settings().mail_url is None else MAIL_SERVER
        return not transport.is_away
    if refusal is not None:
        _give_up(mail, f"refused with {refusal}")
        done.given_up += 1
        return True
    with transaction.unit_of_work():
        mail_rows.remove(mail.id)
    done.sent += 1
    return True


def _postpone(mail: OutboxMail, cause: str) -> None:
    # `mail` was read before the claim: its attempts do not include this one.
    seconds = min(_FIRST_DELAY_SECONDS * 2 ** min(mail.attempts, 30), _LONGEST_DELAY_SECONDS)
    log.warning(
        "a mail could not be sent yet",
        extra={**_described(mail), "cause": cause, "next_attempt_seconds": seconds},
    )
    with transaction.unit_of_work():
        mail_rows.postpone(mail.id, until=clock.now() + timedelta(seconds=seconds))


def _give_up(mail: OutboxMail, cause: str) -> None:
    log.error("a mail was given up", extra={**_described(mail), "cause": cause})
    _remove(mail, cause)


def _leave_out(mail: OutboxMail) -> None:
    log.warning("a mail was left out: its recipient has got too many", extra=_described(mail))
    # A change of address is left out of the account's history: it would reveal how many mails
    # somebody else's address got.
    _remove(mail, "throttled", is_told=mail.template != MailTemplate.CHANGE_EMAIL)


def _remove(mail: OutboxMail, cause: str, *, is_told: bool = True) -> None:
    with transaction.unit_of_work():
        if mail_rows.remove(mail.id) and mail.account_id is not None and is_told:
            audit.record(
                EventName.MAIL_GIVEN_UP,
                account_id=mail.account_id,
                client=_SERVICE,
                mail=mail.template,
                cause=cause,
            )


def _described(mail: OutboxMail) -> dict[str, object]:
    return {"mail_id": str(mail.id), "mail": mail.template, "attempt": mail.attempts + 1}
