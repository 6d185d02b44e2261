"""SQLAlchemy's psycopg dialect, with connections whose waits end."""

import time
from typing import Any

from psycopg.errors import ConnectionTimeout
from sqlalchemy import Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from ragauth.deadlines import at_most
from ragauth.postgres.connection import Connection, DatabaseFrozen, NoAnswer
from ragauth.postgres.watch import DatabaseWatch

# The first is for all hosts together. The second is for testing a pooled connection: one that a
# firewall has dropped never answers.
_CONNECT_SECONDS = 2.0
_PING_SECONDS = 1.0
_PATIENT_SECONDS = 3600.0


class Dialect(PGDialect_psycopg):
    """`is_patient` is for commands, where an operator waits: each statement may take an hour."""

    supports_statement_cache = True

    def __init__(self, is_patient: bool = False, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self.watch = DatabaseWatch(is_quiet=is_patient)
        self._is_patient = is_patient

    def connect(self, *arguments: Any, **parameters: Any) -> Any:
        """Connect; raises NoAnswer, or DatabaseFrozen at once while the database is frozen."""
        self.require_answers()
        self.watch.parameters = parameters
        began = time.monotonic()
        try:
            connection = self._connect(arguments, parameters)
        except (NoAnswer, ConnectionTimeout) as error:
            self.watch.note_silence(began)
            raise (DatabaseFrozen if self.watch.is_frozen else NoAnswer) from error
        connection.watch = self.watch
        # With autocommit there is a pooler in front (see `connection_parameters`), and only the
        # pooler has answered.
        if not connection.autocommit:
            self.watch.answered_at = max(began, self.watch.answered_at)
        return connection

    def require_answers(self) -> None:
        """Raise DatabaseFrozen while the database is known not to answer."""
        if self.watch.is_frozen:
            raise DatabaseFrozen

    def _connect(self, arguments: Any, parameters: dict[str, Any]) -> Connection:
        if self._is_patient:
            connection = Connection.connect(*arguments, **parameters)
            connection.longest_seconds = _PATIENT_SECONDS
            return connection
        with at_most(_CONNECT_SECONDS):
            return Connection.connect(*arguments, **parameters)

    def do_ping(self, dbapi_connection: Any) -> bool:
        with at_most(_PING_SECONDS):
            return bool(super().do_ping(dbapi_connection))  # type: ignore[no-untyped-call]


@event.listens_for(Engine, "engine_disposed")
def _begin_anew(engine: Engine) -> None:
    if isinstance(engine.dialect, Dialect):
        engine.dialect.watch.forget()
