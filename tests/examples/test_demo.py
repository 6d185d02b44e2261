"""`make demo`, and what the sample servers say of a port that is taken."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.service import Installation
from tests.examples.stack import EXAMPLES, Customer
from tests.servers.commands import forking_python
from tests.servers.gunicorn import NO_TLS, PROJECT_ROOT
from tests.servers.processes import ServerProcess, children_of, free_port
from tests.waiting import wait_until

_CREATE_KEY = ("service-keys", "create", "--name", "demo", "--scope", "verify")
_STOP_SECONDS = 60
_PATH = {"PATH": os.environ.get("PATH", os.defpath)}
_DEMO = [sys.executable, "examples/demo.py"]
# With another Python for the commands, which are most of what it does.
_DEMO_WITH = """
import sys
sys.path[0] = "examples"
import demo
demo.FLASK = (sys.argv[1], *demo.FLASK[1:])
demo.main()
"""


class Demo:
    """A demo on ports of its own."""

    def __init__(self, folder: Path, command: Sequence[str | Path] = _DEMO) -> None:
        self.ports = {name: str(free_port()) for name in ("PORT", "DASHBOARD_PORT", "SERVICE_PORT")}
        self._instance = folder / "instance"
        self.installation = Installation(
            {"RAGAUTH_INSTANCE_DIR": str(self._instance), "RAGAUTH_BCRYPT_COST": "10"}
        )
        log = folder / "log"
        log.mkdir()
        self._start = lambda: ServerProcess(
            command,
            folder=log,
            environment={**_PATH, **self.ports, **self.installation.environment},
            cwd=PROJECT_ROOT,
            last_signal=signal.SIGTERM,
        )

    @contextmanager
    def run(self, has_got_so_far: Callable[[ServerProcess], object]) -> Iterator[ServerProcess]:
        """Yield it as soon as it has got so far."""
        process = self._start()
        try:
            wait_until(lambda: has_got_so_far(process) or process.exit_code() is not None)
            assert process.exit_code() is None, process.log()
            yield process
        finally:
            process.stop(signal.SIGTERM, _STOP_SECONDS)

    def keys(self) -> list[str]:
        told = self.installation.command("service-keys", "list")
        return re.findall(r"^key_\w+", told, re.MULTILINE)

    def revision(self) -> str:
        """How far its database is migrated."""
        with closing(sqlite3.connect(self._instance / "ragauth.db")) as database:
            (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(revision)


@pytest.fixture
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with forking_python(tmp_path_factory.mktemp("python")) as python:
        yield python


def test_it_starts_all_of_it_and_one_signal_ends_it(tmp_path: Path, python: Path) -> None:
    demo = Demo(tmp_path, [sys.executable, "-c", _DEMO_WITH, python])
    ragauth, dashboard, service = (f"http://127.0.0.1:{port}" for port in demo.ports.values())
    # As an earlier demo of an earlier version left it.
    demo.installation.migrate()
    demo.installation.command(*_CREATE_KEY)
    (earlier,) = demo.keys()
    newest = demo.revision()
    demo.installation.command("db", "downgrade")
    assert demo.revision() < newest
    with demo.run(lambda process: "Ctrl-C ends all" in process.log()) as process:
        words = process.log()
        for url in (dashboard, f"{ragauth}/docs", f"{service}/documents"):
            assert url in words
        config = httpx.get(f"{dashboard}/config.json", verify=NO_TLS)
        assert config.json()["api"] == ragauth
        _assert_only_the_dashboard_may_call(ragauth, demo.ports["DASHBOARD_PORT"])
        with Customer(ragauth) as customer:
            _assert_the_curl_line_works(words, customer.key)
        (key,) = demo.keys()
        assert key != earlier
        code = process.stop(signal.SIGINT, _STOP_SECONDS)
    assert code == 0, process.log()
    assert not any(_listens(port) for port in demo.ports.values())
    assert demo.revision() == newest


def test_a_signal_ends_it_while_it_starts(tmp_path: Path) -> None:
    # Its first command is at work when there is a folder.
    with Demo(tmp_path).run(lambda _: (tmp_path / "instance").exists()) as process:
        children = children_of(process.pid)
        code = process.stop(signal.SIGTERM, _STOP_SECONDS)
    assert code == 0, process.log()
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []


def _assert_only_the_dashboard_may_call(ragauth: str, port: str) -> None:
    for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}", "http://localhost:3000"):
        headers = {"Origin": origin}
        answer = httpx.get(f"{ragauth}/api/auth/me", headers=headers, verify=NO_TLS)
        allowed = answer.headers.get("Access-Control-Allow-Origin")
        assert allowed == (origin if origin.endswith(port) else None)


def _assert_the_curl_line_works(words: str, key: str) -> None:
    found = re.search(r"^ +(curl .+)$", words, re.MULTILINE)
    assert found
    done = subprocess.run(
        ["/bin/bash", "-c", found[1]],
        env={**_PATH, "KEY": key},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert '"bytes":9' in done.stdout


def _listens(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        # `-o`: whatever is out of date, a test must not make the environment anew that it runs in.
        (["make", "--no-print-directory", "-o", ".venv/.runnable", "run"], "PORT"),
        ([sys.executable, EXAMPLES / "demo.py"], "PORT"),
        ([sys.executable, EXAMPLES / "dashboard" / "serve.py"], "DASHBOARD_PORT"),
        ([sys.executable, EXAMPLES / "console" / "serve.py"], "CONSOLE_PORT"),
        ([sys.executable, EXAMPLES / "rag_service" / "app.py"], "SERVICE_PORT"),
    ],
    ids=["run", "demo", "dashboard", "console", "service"],
)
def test_a_port_that_is_none_or_taken_is_one_clear_line(
    command: list[str | Path], variable: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for port in (str(taken.getsockname()[1]), "65536", "eighty"):
            done = subprocess.run(
                command,
                env={**_PATH, variable: port, "RAG_SERVICE_BEHIND_GATEWAY": "true"},
                cwd=PROJECT_ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert done.returncode in (1, 2)
            lines = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
            assert len(lines) == 1, done.stderr
            assert lines[0].startswith(f"127.0.0.1:{port} cannot be served")
            assert done.stdout == ""
