"""Faults of a database: one name for each cause, whichever driver reports it.

Callers answer 503 for each of them, and the log, `/readyz`, the metrics and the commands name the
fault. Any other fault is a bug in ragauth.
"""

import logging
import time
from enum import Enum

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ragauth.place import PROGRAM

log = logging.getLogger("ragauth")

_LOG_ONCE_IN_SECONDS = 10.0


class DatabaseFault(Enum):
    """A fault.

    Its value is shown to operators; its name in lower case is the label in the metrics.
    """

    UNREACHABLE = "out of reach"
    FROZEN = "does not answer: it is frozen, or the network loses its packets"
    REFUSED = "refuses the user or the password"
    MISSING = "there is no such database"
    NO_TLS = "TLS cannot be agreed on: see sslmode, sslrootcert, sslcert and sslkey"
    PARAMETER = "refuses what `options` or another parameter of the URL asks for"
    POOLED = (
        "behind a pooler: set RAGAUTH_DATABASE_POOLER=transaction, and give the URL no `options`"
    )
    NOT_MIGRATED = f"not migrated: run `{PROGRAM} db upgrade`"
    OTHER_SCHEMA = "another version's of ragauth, or another program's"
    NO_SCHEMA = "the search_path names no schema that is there: make one with `CREATE SCHEMA`"
    READ_ONLY = "read-only"
    NOT_PERMITTED = "the role may not read, write or make the tables"
    FULL = "full"
    DAMAGED = "no database of SQLite, or a damaged one"
    WRONG_ENCODING = (
        "the encoding is not UTF8: make a database with `CREATE DATABASE … ENCODING 'UTF8'"
        " TEMPLATE template0`"
    )

    @property
    def label(self) -> str:
        return f"database_{self.name.lower()}"

    @property
    def sentence(self) -> str:
        if self is DatabaseFault.UNREACHABLE:
            return "the database did not answer"
        if self is DatabaseFault.FROZEN:
            return f"the database {self.value}"
        if self in _IS:
            return f"the database is {self.value}"
        return f"the database: {self.value}"


_IS = (
    DatabaseFault.POOLED,
    *(DatabaseFault.NOT_MIGRATED, DatabaseFault.OTHER_SCHEMA),
    *(DatabaseFault.READ_ONLY, DatabaseFault.FULL, DatabaseFault.DAMAGED),
)


class UnusableDatabase(SQLAlchemyError):
    """The database answers, but ragauth cannot store its data in it."""

    def __init__(self, fault: DatabaseFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


# The conditions of https://www.postgresql.org/docs/current/errcodes-appendix.html
_OF_POSTGRES = {
    "28000": DatabaseFault.REFUSED,
    "28P01": DatabaseFault.REFUSED,
    "3D000": DatabaseFault.MISSING,
    "26000": DatabaseFault.POOLED,  # invalid_sql_statement_name: prepared in another session
    "42P05": DatabaseFault.POOLED,  # duplicate_prepared_statement
    "42P01": DatabaseFault.NOT_MIGRATED,  # undefined_table
    "42703": DatabaseFault.NOT_MIGRATED,  # undefined_column
    "42P07": DatabaseFault.OTHER_SCHEMA,  # duplicate_table
    "3F000": DatabaseFault.NO_SCHEMA,
    "25006": DatabaseFault.READ_ONLY,
    "42501": DatabaseFault.NOT_PERMITTED,
    "53100": DatabaseFault.FULL,
}
# Classes of conditions that pass by themselves: connection, resources, operator intervention,
# system.
_PASSING = ("08", "53", "57", "58")
# A failed attempt to connect has no condition code, only the texts of libpq and the server.
_WORDS = (
    ("password authentication failed", DatabaseFault.REFUSED),
    ("no password supplied", DatabaseFault.REFUSED),
    ("no pg_hba.conf entry", DatabaseFault.REFUSED),
    ("authentication failed", DatabaseFault.REFUSED),
    ("permission denied for database", DatabaseFault.REFUSED),
    ("is not permitted to log in", DatabaseFault.REFUSED),
    ("does not support SSL", DatabaseFault.NO_TLS),
    # Not every "SSL error": one on an established connection is an outage.
    ("certificate verify failed", DatabaseFault.NO_TLS),
    ("tlsv1 alert", DatabaseFault.NO_TLS),
    ("wrong version number", DatabaseFault.NO_TLS),
    ("server certificate for", DatabaseFault.NO_TLS),
    ("certificate file", DatabaseFault.NO_TLS),
    ("private key file", DatabaseFault.NO_TLS),
    ("unrecognized configuration parameter", DatabaseFault.PARAMETER),
    # Texts of PgBouncer and of Amazon's RDS Proxy; Postgres itself says "unrecognized".
    ("unsupported startup parameter", DatabaseFault.POOLED),
    ("support command-line options", DatabaseFault.POOLED),
    ("no such database", DatabaseFault.MISSING),
    ("no such user", DatabaseFault.REFUSED),
    ("invalid value for parameter", DatabaseFault.PARAMETER),
    ("permission denied to set parameter", DatabaseFault.PARAMETER),
    ("cannot be changed", DatabaseFault.PARAMETER),
    ("invalid command-line argument", DatabaseFault.PARAMETER),
    ("session is read-only", DatabaseFault.READ_ONLY),
    ("server is in hot standby mode", DatabaseFault.READ_ONLY),
)
_OF_SQLITE = {
    "SQLITE_READONLY": DatabaseFault.READ_ONLY,
    "SQLITE_PERM": DatabaseFault.READ_ONLY,
    "SQLITE_FULL": DatabaseFault.FULL,
    "SQLITE_NOTADB": DatabaseFault.DAMAGED,
    "SQLITE_CORRUPT": DatabaseFault.DAMAGED,
}
_NO_SUCH = ("no such table", "no such column", "has no column named")


def fault_of(error: BaseException | None) -> DatabaseFault | None:
    """The fault behind an error of SQLAlchemy or a driver; None for a bug or a conflict."""
    if isinstance(error, UnusableDatabase):
        return error.fault
    if isinstance(error, PoolTimeout):
        return DatabaseFault.UNREACHABLE
    raw = error.orig if isinstance(error, DBAPIError) else error
    if raw is None:
        return None
    # SQLite's errors have it from Python 3.11 on.
    name = getattr(raw, "sqlite_errorname", None)
    if name is not None:
        return _of_sqlite(name, raw)
    state = getattr(raw, "sqlstate", None)
    if state is None:
        fault = _by_class(raw)
        return _by_words(str(raw)) if fault is DatabaseFault.UNREACHABLE else fault
    if state.startswith(_PASSING):
        return _OF_POSTGRES.get(state, DatabaseFault.UNREACHABLE)
    return _OF_POSTGRES.get(state) or _by_class(raw)


def is_lock_timeout(error: BaseException | None) -> bool:
    """Whether a statement was refused because another's transaction has a lock."""
    raw = error.orig if isinstance(error, DBAPIError) else error
    if getattr(raw, "sqlstate", None) == "55P03":  # lock_not_available
        return True
    return str(getattr(raw, "sqlite_errorname", "")).startswith("SQLITE_BUSY")


def _of_sqlite(name: str, raw: BaseException) -> DatabaseFault | None:
    if name == "SQLITE_ERROR":
        if any(words in str(raw) for words in _NO_SUCH):
            return DatabaseFault.NOT_MIGRATED
        return DatabaseFault.OTHER_SCHEMA if str(raw).endswith("already exists") else None
    # Extended codes such as SQLITE_READONLY_DBMOVED are reduced to their primary code.
    primary = "_".join(name.split("_")[:2])
    return _OF_SQLITE.get(primary) or _by_class(raw)


def _by_class(raw: BaseException) -> DatabaseFault | None:
    """Judge an error by its class: an OperationalError is an outage, not a bug (PEP 249).

    Classes are compared by name: each driver has its own, and the other driver is not loaded.
    """
    names = {each.__name__ for each in type(raw).__mro__}
    if "DatabaseFrozen" in names:
        return DatabaseFault.FROZEN
    return DatabaseFault.UNREACHABLE if names & {"OperationalError", "InterfaceError"} else None


def _by_words(words: str) -> DatabaseFault:
    for part, fault in _WORDS:
        if part in words:
            return fault
    if "does not exist" in words:
        if 'database "' in words:
            return DatabaseFault.MISSING
        if 'role "' in words:
            return DatabaseFault.REFUSED
    return DatabaseFault.UNREACHABLE


_last_logged: dict[DatabaseFault, float] = {}


def log_fault(error: BaseException) -> DatabaseFault | None:
    """Log a fault with the error's class, without its text, which may contain values.

    An outage is logged for each request that met it. A lasting state, which an operator must end,
    is logged once in ten seconds. A frozen database is logged when it freezes, not here.
    """
    fault = fault_of(error)
    if fault is DatabaseFault.FROZEN:
        return fault
    cause = type(getattr(error, "orig", None) or error).__name__
    if fault is not None and fault is not DatabaseFault.UNREACHABLE:
        now = time.monotonic()
        if now - _last_logged.get(fault, -_LOG_ONCE_IN_SECONDS) < _LOG_ONCE_IN_SECONDS:
            return fault
        _last_logged[fault] = now
    told = fault or DatabaseFault.UNREACHABLE
    log.error(told.sentence, extra={"cause": cause})
    return fault


def describe_database_error(error: SQLAlchemyError) -> str:
    """One line for an operator: the fault of the database, or the class of the error."""
    fault = fault_of(error)
    cause = type(getattr(error, "orig", None) or error).__name__
    if fault is None:
        return f"the database refused a statement ({cause})"
    return f"{fault.sentence} ({cause})" if fault is DatabaseFault.UNREACHABLE else fault.sentence
