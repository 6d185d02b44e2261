"""What every measurement is given: its length, a folder, Postgres, and servers on one setting."""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from bench.population import Installation, install
from tests.servers.gunicorn import GunicornServer, start_gunicorn
from tests.servers.postgres import PostgresServer

WORKERS = 2
THREADS = 8


@dataclass(slots=True)
class Setting:
    """How long a run measures, and where it does."""

    folder: Path
    postgres: PostgresServer
    rounds: int
    seconds: float
    is_quick: bool
    breaks_revocation: bool = False
    _installations: dict[str, Installation] = field(default_factory=dict)

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

    @property
    def few_rounds(self) -> int:
        """For what takes long enough to be steady in fewer rounds."""
        return min(self.rounds, 3)

    @property
    def usual_keys(self) -> int:
        """How many keys the databases have where their number is not what is measured."""
        return 10_000 if self.is_quick else 100_000


def serve(
    environment: Mapping[str, str], *, app: str = "wsgi:app", workers: int = WORKERS
) -> AbstractContextManager[GunicornServer]:
    """ragauth, or another application of it, as in production."""
    return start_gunicorn({**environment, "WEB_THREADS": str(THREADS)}, app=app, workers=workers)


def serve_bare(app: str) -> AbstractContextManager[GunicornServer]:
    """A yardstick on gunicorn's own worker, with as many processes and threads."""
    return start_gunicorn(
        {"WEB_THREADS": str(THREADS)}, app=app, workers=WORKERS, config="python:bench.bare_conf"
    )


@contextmanager
def progress(title: str) -> Iterator[None]:
    """Say on the terminal what is being measured, and how long it took."""
    started_at = time.monotonic()
    click.echo(f"{title} … ", nl=False, err=True)
    yield
    click.echo(f"{time.monotonic() - started_at:.0f} s", err=True)
