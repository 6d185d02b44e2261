"""How a mail of the outbox is sent, tried again and given up.

A mail that is sent a second time has the same Message-ID.
"""

import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

from ragauth import clock, transaction
from ragauth.errors import ExternalServiceUnavailable, RateLimitExceeded
from ragauth.extensions import settings
from ragauth.models import OutboxRow
from ragauth.models import outbox as rows
from ragauth.security.sealing import SealBroken
from ragauth.services import audit
from ragauth.services.audit import Client, EventName
from ragauth.services.mail import budget
from ragauth.services.mail.messages import compose
from ragauth.services.mail.queue import RESET_REQUEST, Letter, MailTemplate, open_letter
from ragauth.services.mail.transport import MailTransport, mail_transport
from ragauth.services.outbox import rounds
from ragauth.services.outbox.rounds import Answered, Failed, GivenUp, Outcome, Round, Sent, Settled
from ragauth.services.troubles import MAIL_FOLDER, MAIL_SERVER, SEALS

_FIRST_DELAY_SECONDS = 2
_LONGEST_DELAY_SECONDS = 300
_THROTTLED = "throttled"
_SERVICE = Client(ip=None, user_agent="mail")

AnswerReset = Callable[[uuid.UUID, Letter], None]


def send_due_mail(
    *, answer_reset: AnswerReset, is_stopping: Callable[[], bool] = lambda: False
) -> Round:
    """Send all mail that is due, or stop when the mail server is unreachable.

    `answer_reset` answers a row that asks for a reset mail (`password_reset.answer_request`).
    """
    with closing(mail_transport(settings())) as server:
        return rounds.send_due(_Mail(server, answer_reset), is_stopping=is_stopping)


def has_failed_mail() -> bool:
    """Whether any mail that could not be sent waits for its next try."""
    with transaction.read_only():
        return rows.has_failed_mail()


class _Mail:
    """The mails' side of `rounds.Transport`."""

    webhook_id = None
    noun = "mail"
    claim = timedelta(minutes=2)
    # A reset may wait for its place this long.
    longest_wait = budget.RESET_LIFETIME

    def __init__(self, server: MailTransport, answer_reset: AnswerReset) -> None:
        self._server = server
        self._answer_reset = answer_reset

    def send(self, row: OutboxRow) -> Outcome:
        if row.expires_at <= clock.now():
            return GivenUp("expired")
        try:
            letter = open_letter(row)
        except SealBroken as error:
            # Not given up: the operator may add the missing secret to RAGAUTH_OLD_SECRET_KEYS.
            return Failed(str(error), trouble=SEALS)
        try:
            if row.template == RESET_REQUEST:
                self._answer_reset(row.id, letter)
                return Answered()
            return self._send(row, letter)
        except ExternalServiceUnavailable as error:
            # No counter answers, so it is unknown how many mails the recipient got.
            return Failed(type(error).__name__)

    def _send(self, row: OutboxRow, letter: Letter) -> Outcome:
        # A reset mail was counted when it took its place (`budget`), before its token was made.
        is_reset = row.template == MailTemplate.RESET_PASSWORD
        counted_until_ms = 0
        try:
            throttle = budget.mails_of_recipient(letter.to)
            if not is_reset:
                counted_until_ms = throttle.take()
            mail = compose(row, letter, settings())
        except ValueError:
            # No header can hold the address. Give the mail up, so that it does not block others.
            return GivenUp("malformed")
        except RateLimitExceeded:
            return GivenUp(_THROTTLED, is_fault=False)
        try:
            refusal = self._server.deliver(mail, str(row.id))
        except OSError as error:
            throttle.give_back(counted_until_ms)
            # The server's text may quote the mail, so tell only the error's class and code.
            code = getattr(error, "smtp_code", None)
            return Failed(
                type(error).__name__ + (f" {code}" if code else ""),
                status=code,
                trouble=MAIL_FOLDER if settings().mail_url is None else MAIL_SERVER,
                is_away=self._server.is_away,
            )
        return Sent() if refusal is None else GivenUp(f"refused with {refusal}", status=refusal)

    def next_try(self, row: OutboxRow, now: datetime) -> tuple[datetime, datetime]:
        seconds = min(_FIRST_DELAY_SECONDS * 2 ** min(row.attempts, 30), _LONGEST_DELAY_SECONDS)
        return now + timedelta(seconds=seconds), row.expires_at

    def describe(self, row: OutboxRow) -> dict[str, object]:
        return {"mail_id": str(row.id), "mail": row.template, "attempt": row.attempts + 1}

    def note(self, row: OutboxRow, outcome: Settled) -> None:
        if not isinstance(outcome, GivenUp) or row.account_id is None:
            return
        if outcome.cause == _THROTTLED and row.template == MailTemplate.CHANGE_EMAIL:
            # Left out of the account's history: it would reveal how many mails somebody else's
            # address got.
            return
        audit.record(
            EventName.MAIL_GIVEN_UP,
            account_id=row.account_id,
            client=_SERVICE,
            mail=row.template,
            cause=outcome.cause,
        )

    def settled(self, row: OutboxRow, outcome: Settled) -> None:
        """Nothing follows: a mail concerns no other."""
