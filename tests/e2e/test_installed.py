"""S5: the package: what is in it, and what it does for whoever has only Python and pip."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from ragauth.version import VERSION
from tests.e2e.service import COMMAND_SECONDS, PASSWORD
from tests.servers.caches import locked
from tests.servers.gunicorn import NO_TLS, PROJECT_ROOT
from tests.servers.processes import ServerProcess, free_port
from tests.servers.pythons import find_python, install
from tests.waiting import wait_until

# `-o`: whatever is out of date, a test must not make the environment anew that it runs in.
_MAKE = ("make", "-o", ".venv/.runnable", "-o", ".venv/.installed", "package")
_NO_SOURCES = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "instance", "dist")
_STOP_SECONDS = 40
# A connection that is kept would hold the end up for seconds.
_AT_ONCE = httpx.Limits(max_keepalive_connections=0)
_THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
_OTHERS = sorted({"3.11", "3.12", "3.13"} - {_THIS})


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with wheel and sdist, made once for all processes of one run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "package"
    folder.mkdir(exist_ok=True)
    with locked(folder):
        is_whole = folder / "whole"
        if not is_whole.exists():
            _make_package(folder / "project")
            is_whole.touch()
    return folder / "project" / "dist"


def _make_package(project: Path) -> None:
    """Run `make package` in a copy of the whole project."""
    shutil.copytree(PROJECT_ROOT, project, ignore=_NO_SOURCES)
    (project / ".venv").symlink_to((PROJECT_ROOT / ".venv").resolve())
    done = subprocess.run(
        _MAKE,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS * 2,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """A new file is for every user to read, unless who makes it says otherwise."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def _files_of_the_program() -> set[str]:
    return {
        str(path.relative_to(PROJECT_ROOT))
        for path in (PROJECT_ROOT / "ragauth").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


class TestContents:
    def test_the_wheel_has_the_whole_program_and_nothing_else(self, package: Path) -> None:
        (path,) = package.glob("*.whl")
        with ZipFile(path) as wheel:
            names = set(wheel.namelist())
        about = f"ragauth-{VERSION}.dist-info/"
        assert {name for name in names if not name.startswith(about)} == _files_of_the_program()
        assert {
            *(
                "ragauth/py.typed",
                "ragauth/templates/mail/layout.html",
                "ragauth/static/docs/docs.js",
            ),
            *("ragauth/migrations/alembic.ini", "ragauth/command/outline.json"),
            f"{about}licenses/LICENSE",
        } <= names

    def test_the_sdist_has_what_the_wheel_is_made_of(self, package: Path) -> None:
        (path,) = package.glob("*.tar.gz")
        root = f"ragauth-{VERSION}/"
        with tarfile.open(path) as sdist:
            names = {each.name.removeprefix(root) for each in sdist.getmembers() if each.isfile()}
        made = {name for name in names if name.startswith("ragauth.egg-info/")} | {"PKG-INFO"}
        sources = {"pyproject.toml", "setup.cfg", "README.md", "LICENSE"}
        assert names - made == _files_of_the_program() | sources


@dataclass(frozen=True)
class Newcomer:
    """Somebody in an empty folder, with the package's programs and no settings."""

    programs: Path
    folder: Path
    environment: Mapping[str, str]

    def run(self, program: str, *arguments: str) -> tuple[int, str, str]:
        """Run a program to its end; returns exit code, output, and what it said besides."""
        done = subprocess.run(
            [self.programs / program, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def succeed(self, *arguments: str) -> str:
        code, output, errors = self.run("ragauth", *arguments)
        assert (code, errors) == (0, "")
        return output

    @contextmanager
    def serve(self, log_folder: Path) -> Iterator[tuple[httpx.Client, ServerProcess]]:
        port = str(free_port())
        process = ServerProcess(
            [self.programs / "ragauth", "serve"],
            folder=log_folder,
            environment={**self.environment, "PORT": port, "WEB_CONCURRENCY": "2"},
            cwd=self.folder,
            last_signal=signal.SIGTERM,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(
                base_url=address, timeout=30, verify=NO_TLS, limits=_AT_ONCE
            ) as client:
                wait_until(lambda: process.exit_code() is not None or _is_ready(client))
                assert process.exit_code() is None, process.log()
                yield client, process
        finally:
            process.stop(signal.SIGTERM, _STOP_SECONDS)


@pytest.fixture
def make_newcomer(package: Path, tmp_path: Path) -> Callable[[str], Newcomer]:
    """Makes somebody who has installed the package for a Python, such as "3.12"."""

    def make(version: str) -> Newcomer:
        python = find_python(version)
        if python is None:
            pytest.skip(f"this machine has no Python {version}")
        (wheel,) = package.glob("*.whl")
        programs = install(wheel, python=python, into=tmp_path / "environment")
        for name in ("empty", "log"):
            (tmp_path / name).mkdir()
        environment = {"PATH": os.defpath, "RAGAUTH_BCRYPT_COST": "10"}
        return Newcomer(programs, tmp_path / "empty", environment)

    return make


@pytest.mark.parametrize("version", _OTHERS)
def test_it_serves_under_each_python(
    make_newcomer: Callable[[str], Newcomer], tmp_path: Path, version: str
) -> None:
    """S5"""
    newcomer = make_newcomer(version)
    with newcomer.serve(tmp_path / "log") as (client, process):
        _sign_up_and_present(client)
        wait_until(lambda: any(newcomer.folder.glob("instance/outbox/*.eml")))
        assert process.stop(signal.SIGTERM, _STOP_SECONDS) == 0
        assert "Traceback" not in process.log()
    assert _saved_units(newcomer.folder / "instance" / "ragauth.db") == 1


@pytest.mark.usefixtures("usual_umask")
def test_from_an_empty_folder_to_a_whole_service(
    make_newcomer: Callable[[str], Newcomer], tmp_path: Path
) -> None:
    """S5 and S33: the command's defaults are those of a server; only `serve` makes an instance."""
    newcomer = make_newcomer(_THIS)
    folder = newcomer.folder
    assert newcomer.succeed("--version") == f"ragauth {VERSION}\n"
    _check_fault(newcomer)
    # The folder may be anybody's: what lies in it is no part of the program.
    others = [folder / f"{module}.py" for module in ("lmdb", "redis", "gunicorn")]
    for other in others:
        other.write_text("raise SystemExit('not ours')\n", encoding="utf-8")
    with newcomer.serve(tmp_path / "log") as (client, process):
        account_id, key = _sign_up_and_present(client)
        newcomer.succeed("keys", "revoke-all", account_id, "--yes")
        assert client.get("/api/v1/authorize", headers=key).status_code == 401
        # Flask's own program, which imports the present folder's, finds the same commands.
        for other in others:
            other.unlink()
        code, listed, _ = newcomer.run("flask", "--app", "ragauth", "accounts", "list", "--json")
        assert code == 0
        (account,) = json.loads(listed)
        assert (account["id"], account["email"]) == (account_id, "dev@example.com")
        wait_until(lambda: any(folder.glob("instance/outbox/*.eml")))
        modes = _modes_below(folder)
        log = process.log()
        assert process.stop(signal.SIGTERM, _STOP_SECONDS) == 0

    instance = folder / "instance"
    # It is saved at the end at the latest.
    assert _saved_units(instance / "ragauth.db") == 1
    assert {
        *("ragauth.db", "ragauth.db-wal", "ragauth.db-shm", "secret_key", "counters", "outbox")
    } <= {path.name for path in map(Path, modes)}
    folders = {"instance", "instance/outbox"}
    assert modes == {path: 0o700 if path in folders else 0o600 for path in modes}
    (start,) = (line for line in log.splitlines() if '"starting"' in line)
    assert f'"database": "sqlite:///{instance}/ragauth.db", "instance_dir": "{instance}"' in start
    assert "Traceback" not in log


def _check_fault(newcomer: Newcomer) -> None:
    """A command without an instance is told so in one line, and makes none."""
    code, _, errors = newcomer.run("ragauth", "accounts", "list")
    missing = newcomer.folder / "instance"
    assert code == 1
    assert errors.startswith(f"ragauth: there is no instance in {missing} ({missing} is missing)")
    assert errors.endswith("or make one with `ragauth db upgrade`\n")
    assert errors.count("\n") == 1
    assert list(newcomer.folder.iterdir()) == []


def _sign_up_and_present(client: httpx.Client) -> tuple[str, dict[str, str]]:
    """An account that has presented its key once: its id, and the key as a header."""
    body = {"email": "dev@example.com", "password": PASSWORD}
    signed_up = client.post("/api/auth/signup", json=body).json()["data"]
    key = {"Authorization": f"Bearer {signed_up['api_key']}"}
    assert client.get("/api/v1/authorize", headers=key).status_code == 200
    assert client.get("/docs").status_code == 200
    return signed_up["account"]["id"], key


def _modes_below(folder: Path) -> dict[str, int]:
    """Of the instance and of all that is in it."""
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in [folder / "instance", *folder.glob("instance/**/*")]
    }


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _saved_units(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (units,) = connection.execute("SELECT coalesce(sum(units), 0) FROM usage").fetchone()
    return int(units)
