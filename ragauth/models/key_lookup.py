"""The one read of a key check: a prepared statement on a raw connection of each thread.

SQLAlchemy Core compiles the SQL from the models once, so a renamed column cannot break it
silently; the driver alone runs it. Nothing is remembered between two checks: a key that was
revoked before the read began is refused.
"""

import logging
import os
import threading
import uuid
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, Select, bindparam, select

from ragauth import clock
from ragauth.database import engine_options, prepare_sqlite_connection
from ragauth.errors import ExternalServiceUnavailable
from ragauth.models.accounts import Account
from ragauth.models.agents import Agent
from ragauth.models.api_keys import ApiKey

log = logging.getLogger("ragauth")

# How long a process may take to notice that the first foreign keys were imported.
_IMPORTED_RECHECK_SECONDS = 2.0


class KeyFacts(NamedTuple):
    """What the database says of a key and of its owner. Ids are the 16 bytes of a UUID."""

    id: bytes
    account_id: bytes | None
    agent_id: bytes | None
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


_KEY = (
    select(
        ApiKey.id,
        ApiKey.account_id,
        ApiKey.agent_id,
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
    )
    .outerjoin(Account, Account.id == ApiKey.account_id)
    .where(ApiKey.digest == bindparam("digest"))
)
_AGENT = select(Agent.id).where(
    Agent.id == bindparam("agent_id"), Agent.account_id == bindparam("account_id")
)
_ANY_IMPORTED = select(ApiKey.id).where(ApiKey.is_imported).exists().select()


class KeyLookup:
    """Finds keys by digest. Safe for threads and across a fork."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._local = threading.local()
        self._held: weakref.WeakSet[_HeldConnection] = weakref.WeakSet()
        self._key_sql = self._compile(_KEY)
        self._agent_sql = self._compile(_AGENT)
        self._imported_sql = self._compile(_ANY_IMPORTED)
        self._has_imported = False
        self._imported_checked_at = -_IMPORTED_RECHECK_SECONDS

    def find_key(self, digest: bytes) -> KeyFacts | None:
        """The key with this SHA-256; raises ExternalServiceUnavailable."""
        rows = self._query(self._key_sql, {"digest": digest})
        if not rows:
            return None
        return _from_sqlite(rows[0]) if self._is_sqlite else _from_postgres(rows[0])

    def owns_agent(self, account_id: bytes, agent_id: bytes) -> bool:
        parameter = bytes.hex if self._is_sqlite else _to_uuid
        return bool(
            self._query(
                self._agent_sql,
                {"account_id": parameter(account_id), "agent_id": parameter(agent_id)},
            )
        )

    def has_imported_keys(self) -> bool:
        """Whether keys of another system were ever imported; once true it stays so."""
        if not self._has_imported:
            now = clock.monotonic()
            if now - self._imported_checked_at >= _IMPORTED_RECHECK_SECONDS:
                self._has_imported = bool(self._query(self._imported_sql, {})[0][0])
                self._imported_checked_at = now
        return self._has_imported

    def _compile(self, statement: Select[*tuple[Any, ...]]) -> str:
        compiled = statement.compile(dialect=self._engine.dialect)
        sql = str(compiled)
        if self._is_sqlite:
            # sqlite3 knows names too: one form of parameters for both drivers.
            for name in compiled.positiontup or ():
                sql = sql.replace("?", f":{name}", 1)
        return sql

    def _query(self, sql: str, parameters: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
        """All rows; a connection that was lost is opened again, once."""
        try:
            return self._execute(sql, parameters)
        except self._engine.dialect.dbapi.Error:  # type: ignore[union-attr]
            self._forget_connection()
        try:
            return self._execute(sql, parameters)
        except self._engine.dialect.dbapi.Error as error:  # type: ignore[union-attr]
            self._forget_connection()
            log.error("the database did not answer", extra={"cause": type(error).__name__})
            raise ExternalServiceUnavailable from error

    def _execute(self, sql: str, parameters: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
        held = getattr(self._local, "held", None)
        if held is None or held.pid != os.getpid():
            held = self._local.held = _HeldConnection(self._connect())
            self._held.add(held)
        rows: Sequence[tuple[Any, ...]]
        if self._is_sqlite:
            # To the end: a statement left half-read would hold on to an old snapshot.
            rows = held.cursor.execute(sql, parameters).fetchall()
            return rows
        rows = held.cursor.execute(sql, parameters, prepare=True, binary=True).fetchall()
        return rows

    def _connect(self) -> Any:
        """A connection outside the pool, in autocommit: each read sees what is committed now."""
        dialect, url = self._engine.dialect, self._engine.url
        arguments, keywords = dialect.create_connect_args(url)
        keywords |= engine_options(str(url)).get("connect_args", {})
        connection: Any = dialect.connect(*arguments, **keywords)
        if self._is_sqlite:
            connection.isolation_level = None
            prepare_sqlite_connection(connection)
        else:
            connection.autocommit = True
        return connection

    def _forget_connection(self) -> None:
        held = getattr(self._local, "held", None)
        self._local.held = None
        if held is not None:
            held.close()

    def close(self) -> None:
        """Close the connections of all threads; a later look-up opens its own again."""
        for held in list(self._held):
            held.close()
        self._local = threading.local()


class _HeldConnection:
    """A raw connection that is closed together with the thread that it belongs to."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.cursor = connection.cursor()
        self.pid = os.getpid()

    def close(self) -> None:
        # After a fork the socket is still the parent's.
        if self.pid == os.getpid():
            self.connection.close()

    def __del__(self) -> None:
        self.close()


def _to_uuid(identifier: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=identifier)


def _from_sqlite(row: tuple[Any, ...]) -> KeyFacts:
    """SQLite stores a UUID as 32 hex digits and a moment as text without a zone."""
    (
        key_id,
        account_id,
        agent_id,
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
        kind,
        environment,
        scopes,
        ips,
        origins,
        enabled,
        expires and datetime.fromisoformat(expires).replace(tzinfo=UTC),
        *end,
    )


def _from_postgres(row: tuple[Any, ...]) -> KeyFacts:
    key_id, account_id, agent_id, *facts = row
    return KeyFacts(
        key_id.bytes, account_id and account_id.bytes, agent_id and agent_id.bytes, *facts
    )
