"""The file of an SQLite database: private from its first byte, and never opened beside SQLite."""

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from ragauth.database import make_private_file, prepare_sqlite_connection

_LOOK = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM t'); c.close()"
)


def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "ragauth.db"
    make_private_file(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["ragauth.db"]


def test_a_folder_that_is_missing_is_left_to_sqlite(tmp_path: Path) -> None:
    make_private_file(str(tmp_path / "missing" / "ragauth.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_further_connection_leaves_the_locks_of_the_others(tmp_path: Path) -> None:
    """S36: a process that loses its locks loses what it commits from then on.

    Another process would take the database for unused, and remove its `-wal` when it closes.
    """
    path = tmp_path / "ragauth.db"
    make_private_file(str(path))
    with closing(sqlite3.connect(path)) as connection:
        prepare_sqlite_connection(connection)
        connection.execute("CREATE TABLE t (x)")
        connection.commit()
        make_private_file(str(path))
        subprocess.run([sys.executable, "-c", _LOOK, str(path)], check=True, timeout=60)
        assert Path(f"{path}-wal").exists()
