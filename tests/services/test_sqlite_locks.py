"""Several processes share a file of SQLite: a server, and the commands that look at it."""

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from ragauth.extensions import db
from ragauth.models.reads.prepared import PreparedReads
from tests.applications import make_settings, running_app

_OPEN_AND_CLOSE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM accounts").fetchone()
connection.close()
"""


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
