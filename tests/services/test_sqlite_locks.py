"""Several processes share a file of SQLite: a server, and the commands that look at it."""

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

from sqlalchemy import text

from ragauth.database import prepare_sqlite_connection
from ragauth.extensions import db
from ragauth.models.reads.prepared import PreparedReads
from tests.applications import make_settings, running_app

_OPEN_AND_CLOSE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM accounts").fetchone()
connection.close()
"""


def test_of_many_who_open_a_new_file_at_once_none_is_refused(tmp_path: Path) -> None:
    """S36: as processes do that start for the first time, or after a restore."""
    barrier = Barrier(4, timeout=30)

    def open_first(path: Path) -> str:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            barrier.wait()
            prepare_sqlite_connection(connection)
            mode: str = connection.execute("PRAGMA journal_mode").fetchone()[0]
            return mode

    with ThreadPoolExecutor(barrier.parties) as threads:
        for number in range(60):
            paths = [tmp_path / f"{number}.db"] * barrier.parties
            assert set(threads.map(open_first, paths)) == {"wal"}


def test_what_a_server_writes_after_a_command_has_looked_is_there_for_others(
    tmp_path: Path, sqlite_template: Path
) -> None:
    path = tmp_path / "ragauth.db"
    path.write_bytes(sqlite_template.read_bytes())
    settings = make_settings(tmp_path, f"sqlite:///{path}")
    with running_app(settings) as app, app.app_context(), db.engine.connect() as first:
        first.execute(text("UPDATE installation SET name = name"))
        first.commit()
        wal = os.stat(f"{path}-wal").st_ino
        # Further connections of the same process, of both kinds.
        with db.engine.connect() as second:
            second.execute(text("SELECT 1"))
        reads = PreparedReads(db.engine, settings.database_url, pooled=False)
        reads.read("SELECT 1", {})
        subprocess.run([sys.executable, "-c", _OPEN_AND_CLOSE, str(path)], check=True)
        assert os.stat(f"{path}-wal").st_ino == wal
        first.execute(text("UPDATE installation SET name = 'written later'"))
        first.commit()
        told = subprocess.run(
            [
                *(sys.executable, "-c"),
                "import sqlite3, sys;"
                "print(sqlite3.connect(sys.argv[1]).execute('SELECT name FROM installation')"
                ".fetchone()[0])",
                str(path),
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert told == "written later\n"
        reads.close()
