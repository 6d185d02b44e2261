"""What ails a database, told from the drivers' own errors."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ragauth.database import prepare_sqlite_connection
from ragauth.database_faults import DatabaseFault, fault_of
from tests.cases import for_each

_WITHOUT_STATE = {
    'connection failed: FATAL:  password authentication failed for user "x"': "REFUSED",
    "connection failed: fe_sendauth: no password supplied": "REFUSED",
    'FATAL:  no pg_hba.conf entry for host "192.0.2.1", user "x"': "REFUSED",
    'connection failed: FATAL:  database "x" does not exist': "MISSING",
    'connection failed: FATAL:  role "x" does not exist': "REFUSED",
    'connection failed: FATAL:  role "x" is not permitted to log in': "REFUSED",
    "connection failed: server does not support SSL, but SSL was required": "NO_TLS",
    "connection failed: SSL error: certificate verify failed": "NO_TLS",
    'root certificate file "/x" does not exist': "NO_TLS",
    'server certificate for "a" does not match host name "b"': "NO_TLS",
    'connection failed: FATAL:  unrecognized configuration parameter "x"': "PARAMETER",
    'connection failed: FATAL:  invalid value for parameter "x": "y"': "PARAMETER",
    'connection failed: FATAL:  parameter "ssl" cannot be changed now': "PARAMETER",
    "FATAL:  invalid command-line argument for server process: x": "PARAMETER",
    "connection failed: FATAL:  unsupported startup parameter: options": "POOLED",
    "FATAL:  unsupported startup parameter in options: lock_timeout": "POOLED",
    "RDS Proxy currently does not support command-line options.": "POOLED",
    "connection failed: FATAL:  no such database: x": "MISSING",
    "connection failed: FATAL:  no such user: x": "REFUSED",
    "connection failed: session is read-only": "READ_ONLY",
    "connection failed: Connection refused": "UNREACHABLE",
    "the connection is closed": "UNREACHABLE",
    "consuming input failed: SSL error: unexpected eof while reading": "UNREACHABLE",
}


def wrapped(error: BaseException) -> Exception:
    """As SQLAlchemy raises it."""
    dbapi = psycopg if isinstance(error, psycopg.Error) else sqlite3
    instance: Exception = DBAPIError.instance("", {}, error, dbapi.Error)  # type: ignore[assignment]
    return instance


@for_each("words", _WITHOUT_STATE)
def test_a_connection_that_was_never_made_has_words_alone(words: str) -> None:
    fault = DatabaseFault[_WITHOUT_STATE[words]]
    error = psycopg.OperationalError(words)
    assert fault_of(error) is fault_of(wrapped(error)) is fault


@for_each(
    ("error", "fault"),
    [
        (errors.UndefinedTable(), DatabaseFault.NOT_MIGRATED),
        (errors.UndefinedColumn(), DatabaseFault.NOT_MIGRATED),
        (errors.DuplicateTable(), DatabaseFault.OTHER_SCHEMA),
        (errors.InvalidSqlStatementName(), DatabaseFault.POOLED),
        (errors.DuplicatePreparedStatement(), DatabaseFault.POOLED),
        (errors.InvalidSchemaName(), DatabaseFault.NO_SCHEMA),
        (errors.ReadOnlySqlTransaction(), DatabaseFault.READ_ONLY),
        (errors.InsufficientPrivilege(), DatabaseFault.NOT_PERMITTED),
        (errors.DiskFull(), DatabaseFault.FULL),
        (errors.InvalidPassword(), DatabaseFault.REFUSED),
        (errors.TooManyConnections(), DatabaseFault.UNREACHABLE),
        (errors.AdminShutdown(), DatabaseFault.UNREACHABLE),
        (errors.LockNotAvailable(), DatabaseFault.UNREACHABLE),
        (errors.DeadlockDetected(), DatabaseFault.UNREACHABLE),
        (errors.IoError(), DatabaseFault.UNREACHABLE),
        (PoolTimeout(), DatabaseFault.UNREACHABLE),
        # Conflicts and bugs.
        (errors.UniqueViolation(), None),
        (errors.SyntaxError(), None),
        (errors.InvalidTextRepresentation(), None),
        (ValueError(), None),
        (None, None),
    ],
)
def test_a_condition_of_postgres_has_its_word(
    error: Exception | None, fault: DatabaseFault | None
) -> None:
    assert fault_of(error) is fault
    if isinstance(error, psycopg.Error):
        assert fault_of(wrapped(error)) is fault


@for_each(
    ("statement", "fault"),
    [
        ("SELECT * FROM nowhere", DatabaseFault.NOT_MIGRATED),
        ("SELECT nowhere FROM thing", DatabaseFault.NOT_MIGRATED),
        ("INSERT INTO thing (nowhere) VALUES (1)", DatabaseFault.NOT_MIGRATED),
        ("CREATE TABLE thing (x)", DatabaseFault.OTHER_SCHEMA),
        ("PRAGMA query_only=ON; INSERT INTO thing VALUES (2)", DatabaseFault.READ_ONLY),
        ("PRAGMA max_page_count=2; CREATE TABLE other (x)", DatabaseFault.FULL),
        ("INSERT INTO thing VALUES (1)", None),
        ("SELECT", None),
    ],
)
def test_an_error_of_sqlite_has_its_word(statement: str, fault: DatabaseFault | None) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript("CREATE TABLE thing (x UNIQUE); INSERT INTO thing VALUES (1)")
    with pytest.raises(sqlite3.Error) as caught:
        connection.executescript(statement)
    connection.close()
    assert fault_of(caught.value) is fault_of(wrapped(caught.value)) is fault


def test_a_connection_that_cannot_be_prepared_is_closed(tmp_path: Path) -> None:
    """Else its file stays open until the error that tells of it is gone."""
    file = tmp_path / "ragauth.db"
    file.write_bytes(b"no database at all " * 500)
    connection = sqlite3.connect(file)
    with pytest.raises(sqlite3.DatabaseError):
        prepare_sqlite_connection(connection)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
