"""A primary and a synchronous standby of it, which takes over."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.servers.postgres import OwnPostgresServer
from tests.servers.processes import memory_folder

_SECONDS = 30
# A commit is acknowledged once the standby has written it down.
_SETTINGS = {
    "synchronous_commit": "on",
    # In the data folder, where a killed server leaves nothing behind for others.
    "dynamic_shared_memory_type": "mmap",
    "max_connections": "100",
}


class PostgresPair:
    """Two servers, `primary` and `standby`, which change their parts in a fail-over."""

    def __init__(self, folder: Path) -> None:
        self.primary = OwnPostgresServer(_made(folder / "a"), settings=_SETTINGS)
        self.standby = self.primary
        self.is_whole = False
        self._folder = folder

    def start(self) -> None:
        self.primary.start()
        self.standby = OwnPostgresServer(
            _made(self._folder / "b"), settings=_SETTINGS, copy_of=self.primary
        )
        self.standby.start()
        # The order never changes, as it does not in an operator's setting.
        self._servers = (self.primary, self.standby)
        self.require_standby()

    def url(self, database: str) -> str:
        """Both servers, the first primary first; it says nothing of which of them is meant."""
        ports = [server.port for server in self._servers]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"postgresql://postgres@{hosts}/{database}"

    def require_standby(self) -> None:
        """Acknowledge nothing from now on that the standby has not written down."""
        ask(self.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        ask(self.primary, "SELECT pg_reload_conf()")
        state = "SELECT sync_state FROM pg_stat_replication"
        deadline = time.monotonic() + _SECONDS
        while ask(self.primary, state) != [("sync",)]:
            assert time.monotonic() < deadline, self.standby.log()
            time.sleep(0.02)
        self.is_whole = True

    def promote(self) -> None:
        """Make the standby the primary; on return it takes what is written.

        It waits for no standby, as it has none.
        """
        self.is_whole = False
        ask(self.standby, "SELECT pg_promote()")
        self.primary, self.standby = self.standby, self.primary

    def lose_standby(self) -> None:
        """Stop the standby: whoever waits for it waits until it returns."""
        self.is_whole = False
        self.standby.stop()

    def return_as_standby(self) -> None:
        """Let the former primary come back at its address, as a standby of the present one."""
        self.standby.stop()
        # The copy has the settings too, and will have nobody to wait for when it is promoted.
        ask(self.primary, "ALTER SYSTEM RESET synchronous_standby_names")
        self.standby.copy(self.primary)
        self.standby.start()
        self.require_standby()

    def stop(self) -> None:
        # The standby first: a primary waits for one to take what it still has to send.
        for server in (self.standby, self.primary):
            server.stop()


def ask(
    server: OwnPostgresServer, statement: str, parameters: Sequence[Any] | None = None
) -> list[tuple[Any, ...]]:
    """The rows of one statement, in a connection that says it is the tests'."""
    with psycopg.connect(
        server.url("postgres"), autocommit=True, application_name="tests"
    ) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def start_postgres_pair() -> Iterator[PostgresPair]:
    """Yield a running pair, and end it."""
    with tempfile.TemporaryDirectory(prefix="ragauth-pair-", dir=memory_folder(1024)) as folder:
        # Another user's, where root runs the tests, has to get at what is inside.
        os.chmod(folder, 0o755)
        pair = PostgresPair(Path(folder))
        try:
            pair.start()
            yield pair
        finally:
            pair.stop()
