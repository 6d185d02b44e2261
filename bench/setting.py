"""What every measurement is given: its length, a folder, databases, and servers on one setting."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import click

from bench import history
from bench.population import Installation, install
from tests.servers.gunicorn import GunicornServer, start_gunicorn
from tests.servers.postgres import OwnPostgresServer
from tests.servers.redis import RedisServer

WORKERS = 2
THREADS = 8
# Usage is saved about each ten seconds: a turn of what counts it is long enough to hold a save.
_COUNTING_SECONDS = 10.0
# Postgres' own defaults, where the tests' server trades durability for time.
_DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


@dataclass
class Setting:
    """How long a run measures, and where it does."""

    folder: Path
    rounds: int
    seconds: float
    is_quick: bool
    servers: ExitStack
    breaks_revocation: bool = False
    _installations: dict[str, Installation] = field(default_factory=dict)
    _has_large_account: bool = False

    def sqlite(self, name: str, keys: int) -> Installation:
        """An installation on a SQLite file with so many keys; the same one for the same name."""
        folder = self.folder / name
        if name not in self._installations:
            url = f"sqlite:///{folder / 'ragauth.db'}"
            self._installations[name] = install(folder, url, keys=keys)
        return self._installations[name]

    def on_postgres(self, name: str, keys: int) -> Installation:
        """The same on a Postgres database."""
        if name not in self._installations:
            self.postgres.create_database(name)
            url = self.postgres.url(name)
            self._installations[name] = install(self.folder / name, url, keys=keys)
        return self._installations[name]

    def usual(self) -> Installation:
        """The SQLite file that most measurements share."""
        return self.sqlite("usual", self.usual_keys)

    def with_large_account(self) -> Installation:
        """The same, with an account whose usage has gathered for a year."""
        installation = self.sqlite("with_large_account", self.usual_keys)
        if not self._has_large_account:
            history.add_large_account(installation)
            self._has_large_account = True
        return installation

    @cached_property
    def postgres(self) -> OwnPostgresServer:
        """A Postgres that writes to the disk as it does by default."""
        folder = self.folder / "postgres"
        folder.mkdir()
        # The server runs as another account where this is root's.
        self.folder.chmod(0o755)
        server = OwnPostgresServer(folder, settings=_DURABLE)
        self.servers.callback(server.stop)
        server.start()
        return server

    @cached_property
    def redis(self) -> RedisServer:
        """A Redis whose file is written each second."""
        folder = self.folder / "redis"
        folder.mkdir()
        server = RedisServer(folder, "--appendfsync", "everysec")
        self.servers.callback(server.stop)
        server.start()
        return server

    @property
    def counting_seconds(self) -> float:
        """How long a turn of what is counted takes."""
        return self.seconds if self.is_quick else max(self.seconds, _COUNTING_SECONDS)

    @property
    def few_rounds(self) -> int:
        """For what takes long enough to be steady in fewer rounds."""
        return min(self.rounds, 3)

    @property
    def usual_keys(self) -> int:
        """How many keys the databases have where their number is not what is measured."""
        return 10_000 if self.is_quick else 100_000

    @property
    def asked_keys(self) -> int:
        """How many different ones of them are asked."""
        return 2_000 if self.is_quick else 20_000


def disk_folder() -> str:
    """Where temporary files are on a disk; /tmp may be in memory."""
    return os.environ.get("TMPDIR") or "/var/tmp"  # noqa: S108 - a folder inside it is made


def serve(
    environment: Mapping[str, str], *, app: str = "wsgi:app", workers: int = WORKERS
) -> AbstractContextManager[GunicornServer]:
    """ragauth, or another application of it, as in production; its log goes to a file."""
    return start_gunicorn({**environment, "WEB_THREADS": str(THREADS)}, app=app, workers=workers)


def serve_bare(setting: Setting) -> AbstractContextManager[GunicornServer]:
    """Bare Flask on gunicorn's own threaded worker; nothing else is configured."""
    arguments = f"--worker-class gthread --threads {THREADS}"
    # gunicorn puts its control socket there.
    home = {"HOME": str(setting.folder)}
    return start_gunicorn(
        {"GUNICORN_CMD_ARGS": arguments, **home},
        app="bench.bare_flask:app",
        workers=WORKERS,
        config=None,
    )


@contextmanager
def progress(title: str) -> Iterator[None]:
    """Say on the terminal what is being measured, and how long it took."""
    started_at = time.monotonic()
    click.echo(f"{title} … ", nl=False, err=True)
    try:
        yield
    finally:
        click.echo(f"{time.monotonic() - started_at:.0f} s", err=True)
