"""A consistent copy of the SQLite database, made while the service is running."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from ragauth.database import SQLITE_BUSY_MS
from ragauth.errors import Conflict, ExternalServiceUnavailable
from ragauth.extensions import db

_SUFFIXES = ("", "-journal", "-wal", "-shm")


def copy_sqlite(target: Path) -> int:
    """Copy the database as it is at this moment; returns the size in bytes.

    The copy is one snapshot; in WAL mode it blocks no writer. The file appears whole or not at all,
    has mode 0600, and never replaces another file. Raises Conflict if the file exists,
    ExternalServiceUnavailable if the database cannot be read or the copy not written.
    """
    source = Path(db.engine.url.database or "")
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    except OSError as error:
        raise ExternalServiceUnavailable(
            f"cannot write to {target.parent}: {error.strerror}"
        ) from error
    os.close(descriptor)
    try:
        _copy(source, Path(name))
        os.link(name, target)
    except sqlite3.Error as error:
        raise ExternalServiceUnavailable(f"cannot copy {source}: {error}") from error
    except FileExistsError as error:
        raise Conflict(f"{target} is there already") from error
    except OSError as error:
        raise ExternalServiceUnavailable(f"cannot write {target}: {error.strerror}") from error
    finally:
        for suffix in _SUFFIXES:
            Path(name + suffix).unlink(missing_ok=True)
    _sync(target.parent)
    return target.stat().st_size


def _copy(source: Path, target: Path) -> None:
    with (
        # This mode never creates an empty database for a wrong path.
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
        live.backup(copy)
        # Leave WAL mode, so that the copy is one file without a `-wal` beside it until a service
        # opens it.
        copy.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = copy.execute("PRAGMA quick_check").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    _sync(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
