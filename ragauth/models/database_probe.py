"""Tests, cheaply and with a bounded wait, whether the database accepts the service's writes."""

import os
import re
import sqlite3
from functools import cache

from sqlalchemy import text

from ragauth.database import SESSION_MARK, SQLITE_BUSY_MS, execute
from ragauth.database_faults import DatabaseFault, fault_of
from ragauth.extensions import MIGRATIONS, db, settings

_NUMBER = re.compile(r"[0-9]{4}", re.ASCII)
_SQLITE_WAIT_MS = 500
_SQLITE_ROOM_BYTES = 1 << 20

_REVISIONS = "SELECT version_num FROM alembic_version"
_SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
# One query detects a standby, default_transaction_read_only of a server or role, and missing
# rights. For a missing table the rights are null.
_POSTGRES = text("""
    SELECT current_setting(:mark, true) IS NULL,
           current_setting('transaction_read_only') = 'on',
           coalesce(bool_or(found IS NULL), false),
           coalesce(bool_and(has_table_privilege(found, 'SELECT')
                             AND has_table_privilege(found, 'INSERT')
                             AND has_table_privilege(found, 'UPDATE')
                             AND has_table_privilege(found, 'DELETE')), false)
      FROM (SELECT to_regclass(quote_ident(name)) AS found
              FROM unnest(CAST(:names AS text[])) AS name) AS tables
""")


def find_fault() -> DatabaseFault | None:
    """The database's fault; None if a request could read and write. Raises SQLAlchemyError."""
    revisions = set(schema_revisions())
    is_sqlite = db.engine.dialect.name == "sqlite"
    fault = _sqlite_fault() if is_sqlite else _postgres_fault()
    if revisions == {known_revisions()[-1]} or fault not in (None, DatabaseFault.NOT_MIGRATED):
        return fault
    if len(revisions) == 1 and all(map(_is_newer, revisions)):
        # A newer schema works for this version too, until the newer version replaces it.
        return fault
    is_ours = revisions <= set(known_revisions())
    return DatabaseFault.NOT_MIGRATED if is_ours else DatabaseFault.OTHER_SCHEMA


def _is_newer(revision: str) -> bool:
    """Whether a later version made the schema: revisions have four digits, later ones only add."""
    return _NUMBER.fullmatch(revision) is not None and revision > known_revisions()[-1]


def _postgres_fault() -> DatabaseFault | None:
    names = list(db.metadata.tables)
    answer = db.session.execute(_POSTGRES, {"names": names, "mark": SESSION_MARK}).one()
    is_unmarked, is_read_only, is_incomplete, is_permitted = answer
    if is_unmarked and not settings().is_pooled:
        # A pooler has silently dropped the options; it would lose prepared statements too.
        return DatabaseFault.POOLED
    if is_incomplete:
        return DatabaseFault.NOT_MIGRATED
    if is_read_only:
        # Drop the connection: the next one may lead to a server that accepts writes.
        db.session().invalidate()
        return DatabaseFault.READ_ONLY
    return None if is_permitted else DatabaseFault.NOT_PERMITTED


def schema_revisions() -> list[str]:
    """The database's revisions: exactly one, unless the database is not ragauth's."""
    return sorted(_names(_REVISIONS))


def _names(sql: str) -> list[str]:
    return [name for (name,) in execute(db.session.connection(), sql).fetchall()]


@cache
def known_revisions() -> tuple[str, ...]:
    """This version's revisions, oldest first, from the file names: Alembic is not imported."""
    return tuple(sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")))


def _sqlite_fault() -> DatabaseFault | None:
    """Write and roll back: on a read-only file SQLite grants the write lock nevertheless."""
    if not db.metadata.tables.keys() <= {*_names(_SQLITE_TABLES)}:
        return DatabaseFault.NOT_MIGRATED
    folder = os.path.dirname(db.engine.url.database or "")
    room = os.statvfs(folder or ".")
    if room.f_bavail * room.f_frsize < _SQLITE_ROOM_BYTES:
        return DatabaseFault.FULL
    pooled = db.engine.raw_connection()
    cursor = pooled.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout={_SQLITE_WAIT_MS}")
        cursor.execute("BEGIN IMMEDIATE")
        try:
            # In memory only: nothing reaches the disk before a commit.
            cursor.execute("UPDATE installation SET name = name")
        finally:
            cursor.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        # Another process is writing now, so the database accepts writes.
        is_busy = error.sqlite_errorname.startswith("SQLITE_BUSY")
        return None if is_busy else fault_of(error)
    finally:
        cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
        cursor.close()
        pooled.close()
    return None
