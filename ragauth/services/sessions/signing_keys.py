"""The ring of signing keys: which key signs, which ones verify, what verifiers elsewhere read.

At any moment the signing key is the youngest key whose `signs_from` has passed. So it follows from
the database alone: every host signs for a given session row with the same key.
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

# A process learns of a new or a retired key within this time.
RING_SECONDS = 1.0
# How long others may keep the published keys.
PUBLISHED_SECONDS = 60

_PURPOSE = "ragauth signing key"

K = TypeVar("K", SigningKeyFacts, SigningKey)


class SigningRing:
    """The ring as one process has cached it. Safe for threads and across a fork."""

    def __init__(self, lookup: SigningKeyLookup) -> None:
        self._lookup = lookup
        self.forget()

    def forget(self) -> None:
        """Drop the cache: the next use reads the ring from the database."""
        self._known: tuple[float, Mapping[str, SigningKeyFacts]] = (0.0, {})
        self._searched_at = -RING_SECONDS

    def live(self) -> Mapping[str, SigningKeyFacts]:
        """The keys that are not retired, by `kid`, the oldest first.

        An empty ring is never cached: another process may make the first key at any moment. Raises
        ExternalServiceUnavailable.
        """
        return self.remembered() or self._read()

    def remembered(self) -> Mapping[str, SigningKeyFacts]:
        """As `live`, from the cache alone; empty if the cache is too old.

        Never asks the database.
        """
        read_at, keys = self._known
        return keys if clock.monotonic() - read_at < RING_SECONDS else {}

    def find(self, kid: str) -> SigningKeyFacts | None:
        """The key with this `kid`, unless it is retired.

        An unknown `kid` may be a new key, so the ring is read again, but at a bounded rate:
        otherwise a client could cause a query with each `kid` that it invents.
        """
        key = self.live().get(kid)
        if key is None:
            now = clock.monotonic()
            if now - self._searched_at >= RING_SECONDS:
                self._searched_at = now
                key = self._read().get(kid)
        return key

    def _read(self) -> Mapping[str, SigningKeyFacts]:
        # Read the clock before the query: the result may be as old as that.
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

    If there is no key, the first one is made in the present transaction. Raises
    ExternalServiceUnavailable if all keys are retired.
    """
    # Do not use the ring's own connection while the present transaction holds one: behind a pooler
    # with few sessions, transactions that each wait for a second session would deadlock.
    key = choose_key(current_ring().remembered().values() or live_rows.list_live(), moment)
    if key is None:
        ensure_first_key()
        key = choose_key(live_rows.list_live(), moment)
    if key is None:
        log.error("every signing key is retired; `signing-keys rotate` makes a new one")
        raise ExternalServiceUnavailable("The server has no key to sign tokens with")
    return key


def choose_key(keys: Iterable[K], moment: datetime) -> K | None:
    """Choose the youngest key that signed at a moment, from keys that are sorted by age.

    Before the time of the oldest key, the oldest: the first key is made shortly after the moment
    that it first signs for.
    """
    chosen = None
    for key in keys:
        if chosen is None or key.signs_from <= moment:
            chosen = key
    return chosen


def publish() -> list[dict[str, Any]]:
    """The public keys (RFC 7517), including those that will sign later.

    Makes the first key if there is none.
    """
    keys = list(current_ring().live().values())
    if not keys:
        with transaction.unit_of_work():
            ensure_first_key()
            keys = live_rows.list_live()
    return [key.public_jwk for key in keys]


def ensure_first_key() -> None:
    """Make the first key; simultaneous first starts on any number of hosts all get the same one.

    In the present transaction.
    """
    signing_key_rows.insert_first(**new_key(signs_from=clock.now()))


def new_key(*, signs_from: datetime) -> dict[str, Any]:
    """The columns of a new key, except its id."""
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
    """Seal a private key with the present secret; it opens together with this `kid` alone."""
    return seal(
        private_key, secret_key=settings().secret_key, purpose=_PURPOSE, context=kid.encode()
    )


def open_private_key(sealed: bytes, kid: str, secret_keys: tuple[bytes, ...]) -> bytes:
    """Open a sealed private key; raises SealBroken."""
    return unseal(sealed, secret_keys=secret_keys, purpose=_PURPOSE, context=kid.encode())


def private_key_of(key: SigningKeyFacts) -> EllipticCurvePrivateKey:
    """The private key of a row; ExternalServiceUnavailable if none of the secrets opens it."""
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
