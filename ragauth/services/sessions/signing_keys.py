"""The ring of signing keys: which key signs, which ones verify, what verifiers elsewhere read.

The key of a moment is the youngest one whose `signs_from` has come by then, so it follows from
the database alone: whoever signs for a session's row, on whatever host, signs with the same key.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from ragauth import clock, transaction
from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import current, settings
from ragauth.models import SigningKey
from ragauth.models import signing_keys as signing_key_rows
from ragauth.models.reads import signing_keys as live_rows
from ragauth.models.reads.signing_keys import SigningKeyFacts, SigningKeyLookup
from ragauth.security.sealing import SealBroken, seal, unseal
from ragauth.security.signatures import ALGORITHM, generate_key_pair, load_private_key

log = logging.getLogger("ragauth")

# A process learns of a new key, and of a retired one, within this time.
RING_SECONDS = 1.0
# How long others may keep the published keys.
PUBLISHED_SECONDS = 60

_PURPOSE = "ragauth signing key"

K = TypeVar("K", SigningKeyFacts, SigningKey)


class SigningRing:
    """What one process knows of the ring. Safe for threads and across a fork."""

    def __init__(self, lookup: SigningKeyLookup) -> None:
        self._lookup = lookup
        self.forget()

    def forget(self) -> None:
        """The next use reads the ring."""
        self._known: tuple[float, Mapping[str, SigningKeyFacts]] = (0.0, {})
        self._searched_at = -RING_SECONDS

    def live(self) -> Mapping[str, SigningKeyFacts]:
        """The keys that are not retired by their `kid`, the eldest first.

        An empty ring is never remembered: its first key may be there any moment. Raises
        ExternalServiceUnavailable.
        """
        return self.remembered() or self._read()

    def remembered(self) -> Mapping[str, SigningKeyFacts]:
        """The same where they were read lately, otherwise none; asks nothing."""
        read_at, keys = self._known
        return keys if clock.monotonic() - read_at < RING_SECONDS else {}

    def find(self, kid: str) -> SigningKeyFacts | None:
        """The key of this name, unless it is retired.

        An unknown one may be new, so the ring is read again: but only so often, or whoever makes
        names up could have a query for each.
        """
        key = self.live().get(kid)
        if key is None:
            now = clock.monotonic()
            if now - self._searched_at >= RING_SECONDS:
                self._searched_at = now
                key = self._read().get(kid)
        return key

    def _read(self) -> Mapping[str, SigningKeyFacts]:
        # Before the read: what comes back may be as old as that.
        now = clock.monotonic()
        keys = {key.kid: key for key in self._lookup.list_live()}
        self._known = (now, keys)
        return keys


def current_ring() -> SigningRing:
    """The ring of the running application."""
    ring: SigningRing = current().signing_ring
    return ring


def key_of(moment: datetime) -> SigningKeyFacts:
    """The key that signs what began at this moment.

    Makes the first one, in the present transaction, where there is none. Raises
    ExternalServiceUnavailable where each is retired.
    """
    # Not by the ring's own connection while the present transaction holds one: behind a pooler with
    # few sessions, transactions that each wait for a second session would wait for one another.
    key = choose_key(current_ring().remembered().values() or live_rows.list_live(), moment)
    if key is None:
        ensure_first_key()
        key = choose_key(live_rows.list_live(), moment)
    if key is None:
        log.error("every signing key is retired; `signing-keys rotate` makes a new one")
        raise ExternalServiceUnavailable("The server has no key to sign tokens with")
    return key


def choose_key(keys: Iterable[K], moment: datetime) -> K | None:
    """Of keys by age: the youngest that signed at a moment; before the eldest's time, the eldest.

    (The first key is made after the moment that it signs for first.)
    """
    chosen = None
    for key in keys:
        if chosen is None or key.signs_from <= moment:
            chosen = key
    return chosen


def publish() -> list[dict[str, Any]]:
    """The public keys (RFC 7517), those that are yet to sign among them.

    Makes the first key where there is none.
    """
    keys = list(current_ring().live().values())
    if not keys:
        with transaction.unit_of_work():
            ensure_first_key()
            keys = live_rows.list_live()
    return [key.public_jwk for key in keys]


def ensure_first_key() -> None:
    """Of any number of first starts at once, on any number of hosts, all get the same key.

    In the present transaction.
    """
    signing_key_rows.insert_first(**new_key(signs_from=clock.now()))


def new_key(*, signs_from: datetime) -> dict[str, Any]:
    """The columns of a new key, its id aside."""
    pair = generate_key_pair()
    return {
        "kid": pair.kid,
        "algorithm": ALGORITHM,
        "public_jwk": pair.public_jwk,
        "sealed_private_key": seal_private_key(pair.private_key, pair.kid),
        "created_at": clock.now(),
        "signs_from": signs_from,
    }


def seal_private_key(private_key: bytes, kid: str) -> bytes:
    """Sealed with the present secret, of use beside this `kid` alone."""
    return seal(
        private_key, secret_key=settings().secret_key, purpose=_PURPOSE, context=kid.encode()
    )


def open_private_key(sealed: bytes, kid: str, secret_keys: tuple[bytes, ...]) -> bytes:
    """Raises SealBroken."""
    return unseal(sealed, secret_keys=secret_keys, purpose=_PURPOSE, context=kid.encode())


def private_key_of(key: SigningKeyFacts) -> EllipticCurvePrivateKey:
    """Raises ExternalServiceUnavailable for one that none of the secrets opens."""
    secret_keys = (settings().secret_key, *settings().old_secret_keys)
    try:
        return _load(key.sealed_private_key, key.kid, secret_keys)
    except SealBroken as error:
        log.error(
            "a signing key does not open: is its secret missing in RAGAUTH_OLD_SECRET_KEYS?",
            extra={"kid": key.kid, "cause": str(error)},
        )
        raise ExternalServiceUnavailable(
            "The server's secret does not decrypt the key that signs tokens"
        ) from error


@lru_cache(maxsize=16)
def _load(sealed: bytes, kid: str, secret_keys: tuple[bytes, ...]) -> EllipticCurvePrivateKey:
    return load_private_key(open_private_key(sealed, kid, secret_keys))
