"""A real PgBouncer for the tests, in transaction mode: Debian's package."""

import os
import pwd
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import psycopg

from tests.servers.postgres import PostgresServer
from tests.servers.processes import ServerProcess, free_port

# Two sessions of the server for all clients, handed out in turn: what a client leaves in one, it
# does not find again, and another does.
SESSIONS = 2
_START_SECONDS = 10
_STOP_SECONDS = 10
_SETTINGS = {
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    # Whoever asks is let in as the user of the database's own URL.
    "auth_type": "any",
    "pool_mode": "transaction",
    "default_pool_size": str(SESSIONS),
    "server_round_robin": "1",
    "max_client_conn": "500",
    "query_wait_timeout": "10",
    # Postgres comes back within a test.
    "server_login_retry": "1",
}


class PgBouncer:
    """A pooler of this test process, in front of a Postgres."""

    def __init__(self, folder: Path, postgres: PostgresServer, settings: dict[str, str]) -> None:
        program = find_pgbouncer()
        if program is None:
            raise RuntimeError("pgbouncer is not installed: apt-get install pgbouncer")
        self._program = program
        self._folder = folder
        self._account = _account()
        self._port = free_port()
        self._process: ServerProcess | None = None
        self._configuration = folder / "pgbouncer.ini"
        given = _SETTINGS | {"listen_port": str(self._port)} | settings
        lines = [f"{name} = {value}" for name, value in given.items()]
        place = _place(postgres.url("any"))
        text = "\n".join(["[databases]", f"* = {place}", "[pgbouncer]", *lines, ""])
        self._configuration.write_text(text, encoding="utf-8")
        if self._account:
            for path in (folder, self._configuration):
                os.chown(path, *self._account)

    def url(self, database: str) -> str:
        """Return the URL of one database of the Postgres behind it."""
        return f"postgresql://ragauth@127.0.0.1:{self._port}/{quote(database)}"

    def start(self) -> None:
        """Start it; it answers when this returns."""
        if self._process is not None:
            raise RuntimeError("PgBouncer is running already")
        self._process = ServerProcess(
            [self._program, self._configuration],
            folder=self._folder,
            environment={"PATH": os.defpath},
            cwd=self._folder,
            last_signal=signal.SIGTERM,
            account=self._account,
        )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._process.exit_code() is None and time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                log = self._process.log()
                self.stop()
                raise RuntimeError(f"PgBouncer did not start:\n{log}") from None
            return

    def stop(self) -> None:
        """Stop it at once, with the connections of its clients; the port stays its own."""
        process, self._process = self._process, None
        if process is not None:
            process.stop(signal.SIGTERM, _STOP_SECONDS)


def find_pgbouncer() -> str | None:
    """Return the path of the program, or None where it is not installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def _account() -> tuple[int, int] | None:
    """Return whom to run as: PgBouncer refuses root, so root becomes nobody."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _place(url: str) -> str:
    """Return the server of a URL in PgBouncer's words."""
    parts = urlsplit(url)
    words = {
        "host": parts.hostname or "127.0.0.1",
        "port": str(parts.port or 5432),
        "user": unquote(parts.username or "postgres"),
        "password": unquote(parts.password or ""),
    }
    return " ".join(f"{name}='{value}'" for name, value in words.items() if value)


@contextmanager
def start_pgbouncer(postgres: PostgresServer, **settings: str) -> Iterator[PgBouncer]:
    """Yield a running PgBouncer in front of the server, and end it; settings are its own."""
    with tempfile.TemporaryDirectory(prefix="ragauth-pgbouncer-") as folder:
        pooler = PgBouncer(Path(folder), postgres, settings)
        try:
            pooler.start()
            yield pooler
        finally:
            pooler.stop()
