"""The read of a key check: the key and its owner, by what was presented."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    Integer,
    LargeBinary,
    Select,
    Text,
    any_,
    bindparam,
    func,
    or_,
    select,
    type_coerce,
)

from ragauth import clock
from ragauth.database import parse_sqlite_moment
from ragauth.models.accounts import Account
from ragauth.models.agents import Agent
from ragauth.models.api_keys import ApiKey
from ragauth.models.reads.prepared import PreparedReads
from ragauth.security import key_format

# A process notices the first import of foreign keys within this time.
_IMPORTED_RECHECK_SECONDS = 2.0


class KeyFacts(NamedTuple):
    """A key and its owner as the database has them. Ids are the 16 bytes of a UUID."""

    id: bytes
    account_id: bytes | None
    agent_id: bytes | None
    # The key whose counts this one goes on with; None is itself.
    counted_as: bytes | None
    kind: str
    environment: str
    scopes: str | None
    allowed_ips: str | None
    allowed_origins: str | None
    is_enabled: bool
    expires_at: datetime | None
    is_revoked: bool
    plan: str | None
    account_status: str | None
    is_managed: bool
    # JSON texts: the limits of the key and of its account, and the key's metadata.
    limits: str | None
    account_limits: str | None
    own_data: str | None


_FACTS = (
    ApiKey.id,
    ApiKey.account_id,
    ApiKey.agent_id,
    ApiKey.counted_as,
    ApiKey.kind,
    ApiKey.environment,
    ApiKey.scopes,
    ApiKey.allowed_ips,
    ApiKey.allowed_origins,
    ApiKey.is_enabled,
    ApiKey.expires_at,
    ApiKey.revoked_at.is_not(None),
    Account.plan,
    Account.status,
    ApiKey.is_managed,
    type_coerce(ApiKey.limits, Text).label("limits"),
    type_coerce(Account.limits, Text).label("account_limits"),
    type_coerce(ApiKey.own_data, Text).label("own_data"),
)


def _select_keys(*first: Any) -> Select[*tuple[Any, ...]]:
    return select(*first, *_FACTS).outerjoin(Account, Account.id == ApiKey.account_id)


_KEY = _select_keys().where(ApiKey.digest == bindparam("digest"))
# Of Postgres, which answers many in one round trip. SQLite is asked for each: a list would have
# another SQL for each length.
_KEYS = _select_keys(ApiKey.digest).where(
    ApiKey.digest == any_(bindparam("digests", type_=ARRAY(LargeBinary)))
)
_AGENT = select(Agent.id).where(
    Agent.id == bindparam("agent_id"), Agent.account_id == bindparam("account_id")
)
# The bare column, as in the partial index of imported keys: with `is_imported = 1` SQLite would not
# use that index, and read all keys.
_IS_IMPORTED = type_coerce(ApiKey.is_imported, Integer)
# A key in a keyspace may begin as its operator likes.
_ANY_OF_OTHER_FORM = select(
    or_(
        select(ApiKey.id).where(_IS_IMPORTED).exists(),
        select(ApiKey.id).where(ApiKey.keyspace_id.is_not(None)).exists(),
    )
)
# One text after the other, each found in the index: DISTINCT would read a row for each key.
_NEXT_TEXT_BEFORE = select(func.min(ApiKey.text_before)).where(
    ApiKey.text_before > bindparam("after")
)


class KeyLookup:
    """Finds the key that was presented."""

    def __init__(self, reads: PreparedReads, *, expects_imports: bool = False) -> None:
        """`expects_imports`: what may be another system's key is always looked up.

        Else it takes a process a moment to notice the first import.
        """
        self._reads = reads
        self._key_sql = reads.compile(_KEY)
        self._keys_sql = "" if reads.is_sqlite else reads.compile(_KEYS)
        self._agent_sql = reads.compile(_AGENT)
        self._imported_sql = reads.compile(_ANY_OF_OTHER_FORM)
        self._has_imported = expects_imports
        self._imported_checked_at = -_IMPORTED_RECHECK_SECONDS
        self._next_text_sql = reads.compile(_NEXT_TEXT_BEFORE)
        self._texts_before: tuple[str, ...] = ()
        self._texts_read_at = -_IMPORTED_RECHECK_SECONDS

    def find_presented(self, presented_key: str) -> KeyFacts | None:
        """The key that a text is, live or not; raises ExternalServiceUnavailable."""
        return self.find_all((presented_key,))[presented_key]

    def find_all(self, presented_keys: Iterable[str]) -> dict[str, KeyFacts | None]:
        """The keys that texts are, live or not; raises ExternalServiceUnavailable.

        Everything that is given a raw key finds it here. Nearly every key is found by its own
        SHA-256. One whose part after a certain text was hashed by another system is found by that
        part, and by that text before it (`key_format.digest_after`).
        """
        digests = {key_format.digest_key(key): key for key in presented_keys}
        stored = self._find_stored(digests)
        return {
            key: stored.get(digest) or self._find_after_text(key) for digest, key in digests.items()
        }

    def _find_stored(self, digests: Collection[bytes]) -> Mapping[bytes, KeyFacts | None]:
        """The keys that are stored with these digests: all in one read, or in one transaction."""
        if len(digests) == 1:
            (digest,) = digests
            return {digest: self.find_key(digest)}
        if self._reads.is_sqlite:
            results = self._reads.read_each(
                self._key_sql, [{"digest": digest} for digest in digests]
            )
            return {
                digest: _from_sqlite(rows[0])
                for digest, rows in zip(digests, results, strict=True)
                if rows
            }
        rows = self._reads.read(self._keys_sql, {"digests": list(digests)}) if digests else ()
        return {row[0]: _from_postgres(row[1:]) for row in rows}

    def _find_after_text(self, presented_key: str) -> KeyFacts | None:
        for digest in key_format.digests_after(presented_key, self.texts_before()):
            key = self.find_key(digest)
            if key is not None:
                return key
        return None

    def find_key(self, digest: bytes) -> KeyFacts | None:
        """The key that is stored with this digest; raises ExternalServiceUnavailable."""
        rows = self._reads.read(self._key_sql, {"digest": digest})
        if not rows:
            return None
        return _from_sqlite(rows[0]) if self._reads.is_sqlite else _from_postgres(rows[0])

    def texts_before(self) -> tuple[str, ...]:
        """The texts after which other systems have hashed the rest of a key: a few at most.

        A process notices a new one within two seconds.
        """
        now = clock.monotonic()
        if now - self._texts_read_at >= _IMPORTED_RECHECK_SECONDS:
            texts: list[str] = []
            text = ""
            while (
                text := self._reads.read(self._next_text_sql, {"after": text})[0][0]
            ) is not None:
                texts.append(text)
            self._texts_before, self._texts_read_at = tuple(texts), now
        return self._texts_before

    def owns_agent(self, account_id: bytes, agent_id: bytes) -> bool:
        parameter = bytes.hex if self._reads.is_sqlite else _to_uuid
        return bool(
            self._reads.read(
                self._agent_sql,
                {"account_id": parameter(account_id), "agent_id": parameter(agent_id)},
            )
        )

    def has_imported_keys(self) -> bool:
        """Whether keys of another form may exist; once True, it is cached for good."""
        if not self._has_imported:
            now = clock.monotonic()
            if now - self._imported_checked_at >= _IMPORTED_RECHECK_SECONDS:
                self._has_imported = bool(self._reads.read(self._imported_sql, {})[0][0])
                self._imported_checked_at = now
        return self._has_imported


def _to_uuid(identifier: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=identifier)


def _from_sqlite(row: tuple[Any, ...]) -> KeyFacts:
    """SQLite stores a UUID as 32 hex digits."""
    (
        key_id,
        account_id,
        agent_id,
        counted_as,
        kind,
        environment,
        scopes,
        ips,
        origins,
        enabled,
        expires,
        *end,
    ) = row
    return KeyFacts(
        bytes.fromhex(key_id),
        account_id and bytes.fromhex(account_id),
        agent_id and bytes.fromhex(agent_id),
        counted_as and bytes.fromhex(counted_as),
        kind,
        environment,
        scopes,
        ips,
        origins,
        enabled,
        expires and parse_sqlite_moment(expires),
        *end,
    )


def _from_postgres(row: tuple[Any, ...]) -> KeyFacts:
    key_id, account_id, agent_id, counted_as, *facts = row
    return KeyFacts(
        key_id.bytes,
        account_id and account_id.bytes,
        agent_id and agent_id.bytes,
        counted_as and counted_as.bytes,
        *facts,
    )
