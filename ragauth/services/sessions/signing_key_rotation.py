"""A signing key's life: published, signing, only verifying, retired, deleted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ragauth import clock, transaction
from ragauth.clock import format_time
from ragauth.errors import Conflict, NotFound
from ragauth.extensions import db, settings
from ragauth.models import SigningKey
from ragauth.models import signing_keys as signing_key_rows
from ragauth.security.identifiers import new_uuid
from ragauth.security.sealing import SealBroken
from ragauth.services import audit
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.sessions.signing_keys import (
    RING_SECONDS,
    choose_key,
    ensure_first_key,
    new_key,
    open_private_key,
    seal_private_key,
)

# Longer than common verifiers cache a key set (PyJWT and Nimbus 5 minutes, others 10).
SIGN_AFTER_SECONDS = 900
# By then every process knows the new key, so all sign one generation with the same key.
MIN_SIGN_AFTER_SECONDS = math.ceil(RING_SECONDS) + 1
_LEARNING = timedelta(seconds=MIN_SIGN_AFTER_SECONDS)


class State(StrEnum):
    NEXT = "next"
    SIGNING = "signing"
    VERIFYING = "verifying"
    RETIRED = "retired"


class Sealed(StrEnum):
    """The secret that a private key is sealed with: present, old or unknown."""

    PRESENT = "present"
    OLD = "old"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key as operators see it.

    `verifies_until` is the end of the last token that the key signed; None for a key that signs or
    will sign. `sealed` is None for a retired key, whose private half is gone.
    """

    row: SigningKey
    state: State
    verifies_until: datetime | None
    sealed: Sealed | None


def rotate(*, sign_after_seconds: int) -> KeyState:
    """Publish a new key, which replaces the present one as the signing key after a while."""
    with transaction.unit_of_work():
        ensure_first_key()
        signing_key_rows.lock_all()
        # Read the clock under the lock: however long the wait for it was, every process has the
        # full time to learn of the key.
        seconds = max(sign_after_seconds, MIN_SIGN_AFTER_SECONDS)
        signs_from = clock.now() + timedelta(seconds=seconds)
        key = SigningKey(id=new_uuid(), **new_key(signs_from=signs_from))
        db.session.add(key)
        _record(EventName.SIGNING_KEY_CREATED, key)
        return KeyState(key, State.NEXT, None, Sealed.PRESENT)


def list_keys() -> list[KeyState]:
    """List all keys, the oldest first."""
    with transaction.read_only():
        return _states(signing_key_rows.list_all(), clock.now())


def retire(*, kid: str, force: bool) -> None:
    """Retire a key: from now on all tokens that it signed are refused.

    Raises NotFound; Conflict for the key that signs and, without `force`, for a key whose tokens
    are alive.
    """
    with transaction.unit_of_work():
        keys = signing_key_rows.lock_all()
        now = clock.now()
        found = next((key for key in _states(keys, now) if key.row.kid == kid), None)
        if found is None or found.state is State.RETIRED:
            raise NotFound(f"there is no signing key {kid}, or it is retired")
        # A process that has not learned of the retirement yet must not sign with the key meanwhile.
        live = _live(keys)
        if found.row in (choose_key(live, now), choose_key(live, now + _LEARNING)):
            raise Conflict(_why_it_signs(live, found.row))
        if found.verifies_until is not None and now < found.verifies_until and not force:
            until = format_time(found.verifies_until)
            raise Conflict(
                f"this key has signed tokens that are good until {until};"
                " with --force they are refused at once, and whoever holds one must log in again"
            )
        _retire(found.row, now)


def retire_spent() -> int:
    """Retire the keys whose last token has ended; returns how many."""
    with transaction.unit_of_work():
        keys = signing_key_rows.lock_all()
        now = clock.now()
        spent = [
            key.row
            for key in _states(keys, now)
            if key.state is State.VERIFYING and key.verifies_until and key.verifies_until <= now
        ]
        for row in spent:
            _retire(row, now)
        return len(spent)


def delete_retired(*, before: datetime, limit: int) -> int:
    """Delete keys that were retired before a moment; returns how many."""
    with transaction.unit_of_work():
        return signing_key_rows.delete_retired(before=before, limit=limit)


def reseal() -> tuple[int, int]:
    """Seal with the present secret the private keys that an old secret sealed.

    Returns how many keys were sealed again, and how many no secret opens.
    """
    with transaction.unit_of_work():
        states = _states(signing_key_rows.lock_all(), clock.now())
        old = [key.row for key in states if key.sealed is Sealed.OLD]
        for row in old:
            private_key = open_private_key(
                row.sealed_private_key, row.kid, settings().old_secret_keys
            )
            row.sealed_private_key = seal_private_key(private_key, row.kid)
        return len(old), sum(key.sealed is Sealed.UNKNOWN for key in states)


def _retire(row: SigningKey, now: datetime) -> None:
    """Retire a key and delete its private half: it never signs again."""
    row.retired_at = now
    row.sealed_private_key = b""
    _record(EventName.SIGNING_KEY_RETIRED, row)


def _record(name: EventName, row: SigningKey) -> None:
    audit.record(name, account_id=None, client=OPERATOR, kid=row.kid)


def _live(keys: Sequence[SigningKey]) -> list[SigningKey]:
    return [key for key in keys if key.retired_at is None]


def _states(keys: Sequence[SigningKey], now: datetime) -> list[KeyState]:
    live = _live(keys)
    signing = choose_key(live, now)
    turn = live.index(signing) if signing else 0
    lifetime = timedelta(
        seconds=max(settings().access_token_seconds, settings().refresh_token_seconds)
    )

    def state_of(key: SigningKey) -> KeyState:
        if key.retired_at is not None:
            return KeyState(key, State.RETIRED, None, None)
        position = live.index(key)
        if position >= turn:
            state = State.SIGNING if position == turn else State.NEXT
            return KeyState(key, state, None, _sealed(key))
        verifies_until = live[position + 1].signs_from + lifetime
        return KeyState(key, State.VERIFYING, verifies_until, _sealed(key))

    return [state_of(key) for key in keys]


def _sealed(key: SigningKey) -> Sealed:
    for sealed, secret_keys in (
        (Sealed.PRESENT, (settings().secret_key,)),
        (Sealed.OLD, settings().old_secret_keys),
    ):
        try:
            open_private_key(key.sealed_private_key, key.kid, secret_keys)
        except SealBroken:
            continue
        return sealed
    return Sealed.UNKNOWN


def _why_it_signs(live: Sequence[SigningKey], key: SigningKey) -> str:
    youngers = live[live.index(key) + 1 :]
    if not youngers:
        return "this key signs; make the next one first: `signing-keys rotate`"
    return f"this key signs until {format_time(youngers[0].signs_from)}"
