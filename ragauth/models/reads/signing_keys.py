"""The read of the ring: every signing key that is not retired, oldest first."""

import json
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select

from ragauth.database import parse_sqlite_moment
from ragauth.extensions import db
from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.signing_keys import SigningKey


class SigningKeyFacts(NamedTuple):
    """A signing key that is not retired, as the database has it."""

    kid: str
    algorithm: str
    public_jwk: dict[str, Any]
    sealed_private_key: bytes
    signs_from: datetime


_LIVE = (
    select(
        SigningKey.kid,
        SigningKey.algorithm,
        SigningKey.public_jwk,
        SigningKey.sealed_private_key,
        SigningKey.signs_from,
    )
    .where(SigningKey.retired_at.is_(None))
    .order_by(SigningKey.signs_from, SigningKey.kid)
)


class SigningKeyLookup:
    """Reads the ring outside any transaction, as it was committed when the read began."""

    def __init__(self, reads: PreparedReads) -> None:
        self._reads = reads
        self._sql = reads.compile(_LIVE)

    def list_live(self) -> list[SigningKeyFacts]:
        """Raises ExternalServiceUnavailable."""
        rows = self._reads.read(self._sql, {})
        if self._reads.is_sqlite:
            return [_from_sqlite(row) for row in rows]
        return [SigningKeyFacts(*row) for row in rows]


def list_live() -> list[SigningKeyFacts]:
    """The ring as the present transaction sees it."""
    return [SigningKeyFacts(*row) for row in db.session.execute(_LIVE)]


def _from_sqlite(row: tuple[Any, ...]) -> SigningKeyFacts:
    facts = SigningKeyFacts(*row)
    return facts._replace(public_jwk=json.loads(row[2]), signs_from=parse_sqlite_moment(row[4]))
