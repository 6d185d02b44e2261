"""Idempotent calls: a call with an Idempotency-Key is made once, and answered the same each time.

The first call claims a row by its unique name in the transaction in which it makes what it makes,
and commits its answer with it. So there are both or neither, whenever a process is killed.

The answer may hold a raw key. It is sealed under the server's secret, the caller's key and the
Idempotency-Key together, and the database has none of the three. The name and the digest of the
body are HMACs under the caller's key alone, so that processes with different secrets, as during a
rotation, claim the same row.
"""

import hashlib
import hmac
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from ragauth import clock, transaction
from ragauth.database_faults import is_lock_timeout
from ragauth.errors import CallUnderWay, ExternalServiceUnavailable, IdempotencyKeyReused
from ragauth.extensions import settings
from ragauth.models import idempotent_calls as call_rows
from ragauth.models.idempotent_calls import KnownCall
from ragauth.security.passwords import derive_key
from ragauth.security.sealing import SealBroken, seal, unseal
from ragauth.transaction import HeldOpen, TransactionMisused

log = logging.getLogger("ragauth")

#: How long an answer is told again.
KEPT = timedelta(hours=24)
#: How long a call waits for the first one of its name.
LONGEST_WAIT_MS = 3_000

_PURPOSE = "ragauth answer to an idempotent call"


class Call(NamedTuple):
    """A call, as its caller names it; `presented_key` is the raw service key.

    `route` is the method and the path, in parts. A query counts as a part of the body.
    """

    presented_key: str
    idempotency_key: str
    route: tuple[str, ...]
    query: bytes
    body: bytes

    @property
    def name(self) -> bytes:
        return self._digest("name", *(part.encode() for part in self.route))

    @property
    def body_digest(self) -> bytes:
        return self._digest("body", self.query, self.body)

    def sealed_under(self, secret_key: bytes) -> bytes:
        """What the answer's key is derived from; the parts have lengths, so none runs on."""
        return _joined(secret_key, self.presented_key.encode(), self.idempotency_key.encode())

    def _digest(self, purpose: str, *parts: bytes) -> bytes:
        key = derive_key(self.presented_key.encode(), f"ragauth {purpose} of an idempotent call")
        return hmac.digest(key, _joined(self.idempotency_key.encode(), *parts), hashlib.sha256)


class Answer(NamedTuple):
    """An answer's status and body."""

    status: int
    body: bytes


class _MadeMeanwhile(Exception):
    """Another call of this name was committed while this one waited for it."""


def answer_once(call: Call, make: Callable[[], Answer]) -> Answer:
    """Answer as the first call of this name was answered, or make the answer and keep it.

    `make` calls a service function that opens one unit of work; it is committed with the answer. An
    error, or an answer that is no success, is not kept, so the call can be corrected. Raises
    IdempotencyKeyReused for another body, CallUnderWay if the first call does not end in time.
    """
    known = _find(call)
    if known is None:
        try:
            return _make(call, make)
        except _MadeMeanwhile:
            known = _find(call)
    if known is None:
        # The row that was there a moment ago was a day old, or was deleted.
        raise CallUnderWay
    return _tell(known, call)


def _find(call: Call) -> KnownCall | None:
    with transaction.read_only():
        return call_rows.find_call(call.name, since=_since())


def _make(call: Call, make: Callable[[], Answer]) -> Answer:
    def give_up() -> None:
        call_rows.give_up(call.name)

    with transaction.held_open(
        at_first=lambda: _claim(call), before_refusal=give_up, wait_ms=LONGEST_WAIT_MS
    ) as held:
        answer = make()
        if 200 <= answer.status < 300:
            _keep(call, answer, held)
        elif held.has_begun:
            give_up()
        return answer


def _claim(call: Call) -> None:
    try:
        is_first = call_rows.claim(
            call.name, body_digest=call.body_digest, at=clock.now(), since=_since()
        )
    except DBAPIError as error:
        if is_lock_timeout(error):
            raise CallUnderWay from error
        raise
    if not is_first:
        raise _MadeMeanwhile


def _keep(call: Call, answer: Answer, held: HeldOpen) -> None:
    if not held.has_begun:
        raise TransactionMisused("an idempotent call succeeded without a unit of work")
    sealed = seal(
        answer.body,
        secret_key=call.sealed_under(settings().secret_key),
        purpose=_PURPOSE,
        context=call.name,
    )
    call_rows.keep_answer(call.name, status=answer.status, answer=sealed)


def _tell(known: KnownCall, call: Call) -> Answer:
    if not hmac.compare_digest(known.body_digest, call.body_digest):
        raise IdempotencyKeyReused
    secret_keys = (settings().secret_key, *settings().old_secret_keys)
    try:
        body = unseal(
            known.answer,
            secret_keys=[call.sealed_under(secret_key) for secret_key in secret_keys],
            purpose=_PURPOSE,
            context=call.name,
        )
    except SealBroken as error:
        log.error(
            "an answer does not open: is its secret missing in RAGAUTH_OLD_SECRET_KEYS?",
            extra={"cause": str(error)},
        )
        raise ExternalServiceUnavailable(
            "The server's secret does not open the answer to the first call"
        ) from error
    return Answer(known.status, body)


def _since() -> datetime:
    return clock.now() - KEPT


def _joined(*parts: bytes) -> bytes:
    """The parts, each after its length."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def delete_old_calls(*, before: datetime, limit: int) -> int:
    """Delete a batch of the oldest calls; returns how many."""
    with transaction.unit_of_work():
        return call_rows.delete_older(before, limit=limit)
