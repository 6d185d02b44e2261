"""examples/systemd: what systemd says of the units, and the service as they start it.

There is no running systemd. `systemd-socket-activate` hands the socket on as systemd does, and the
test takes the part that remains: it keeps the socket open, and hears when the service is ready.
"""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import httpx
import pytest

from tests.servers.commands import ForkedCommand
from tests.servers.gunicorn import NO_TLS, PROJECT_ROOT
from tests.servers.processes import ServerProcess, free_port
from tests.servers.quick_hashes import QUICK_HASHES
from tests.waiting import slowness, wait_until

_UNITS = PROJECT_ROOT / "examples" / "systemd"
_PORT = "127.0.0.1:8000"
_SECONDS = 60
_PAUSE_SECONDS = 0.05
_ORIGIN = "https://app.example.com"
# Of ten; the higher, the more the service could do to its host.
_MOST_EXPOSURE = 2.0

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None,
    reason="systemd-socket-activate is missing: apt-get install systemd",
)


class Units:
    """The two files, installed in a folder: other paths and another port, all else as it is."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.settings = folder / "settings"
        self.settings.write_text("WEB_CONCURRENCY=1\n")
        self.state = folder / "state" / "ragauth"
        self.state.mkdir(parents=True)
        self._here = {
            "/srv/ragauth/.venv/bin": str(Path(sys.executable).parent),
            "/srv/ragauth": str(PROJECT_ROOT),
            "/etc/ragauth/settings": str(self.settings),
            _PORT: f"127.0.0.1:{self.port}",
        }
        self.paths = [folder / "ragauth.service", folder / "ragauth.socket"]
        for path in self.paths:
            path.write_text(self._installed((_UNITS / path.name).read_text(encoding="utf-8")))
        self.service, self.socket = (self._read(path) for path in self.paths)

    def _installed(self, text: str) -> str:
        for there, here in self._here.items():
            text = text.replace(there, here)
        return text

    def _read(self, path: Path) -> dict[str, list[str]]:
        read: dict[str, list[str]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            name, is_setting, value = line.partition("=")
            if is_setting and not line.startswith("#"):
                # The folder of states, and the process that systemd began.
                read.setdefault(name, []).append(value.replace("%S", str(self.state.parent)))
        return read

    def command(self, name: str) -> list[str]:
        (line,) = self.service[name]
        # The dash says that a failure does not matter.
        return shlex.split(line.removeprefix("-"))

    def environment(self) -> list[str]:
        return [*self.service["Environment"], f"{QUICK_HASHES}=yes"]


@pytest.fixture
def units(tmp_path: Path) -> Units:
    return Units(tmp_path)


def _say(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout + done.stderr


def test_systemd_finds_no_fault_in_the_units(units: Units) -> None:
    assert _say("systemd-analyze", "verify", *units.paths) == (0, "")


def test_systemd_finds_a_fault_where_there_is_one(units: Units) -> None:
    path = units.paths[0]
    path.write_text(path.read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in _say("systemd-analyze", "verify", *units.paths)[1]


def test_the_service_is_shut_in(units: Units) -> None:
    threshold = f"--threshold={_MOST_EXPOSURE * 10:.0f}"
    code, said = _say(
        "systemd-analyze", "security", "--offline=yes", "--no-pager", threshold, units.paths[0]
    )
    assert code == 0, said[-2000:]


def test_a_failed_migration_does_not_keep_the_service_from_starting(units: Units) -> None:
    """A version that one goes back to cannot migrate a newer database, but serves it."""
    assert [line[0] for line in units.service["ExecStartPre"]] == ["-"]


def test_a_socket_of_systemds_serves_over_a_reload(units: Units, tmp_path: Path) -> None:
    """The service tells when it is ready, the first time and again, then with new settings.

    That no client is refused over a restart, and what a reload does to connections that are kept,
    is tested elsewhere: `e2e/test_no_gap.py`.
    """
    host, _, port = units.socket["ListenStream"][0].rpartition(":")
    assert units.service["Type"] == ["notify"]
    with ExitStack() as stack:
        listener = stack.enter_context(
            socket.create_server((host, int(port)), backlog=int(units.socket["Backlog"][0]))
        )
        news = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        news.bind(str(tmp_path / "notify"))
        news.settimeout(_SECONDS * slowness())

        _prepare(units)
        log = tmp_path / "log"
        log.mkdir()
        variables = [*units.environment(), f"NOTIFY_SOCKET={tmp_path / 'notify'}"]
        process = ServerProcess(
            [
                *(sys.executable, "-c", _HAND_ON, str(listener.fileno())),
                *("systemd-socket-activate", *(f"--setenv={each}" for each in variables)),
                *units.command("ExecStart"),
            ],
            folder=log,
            environment={"PATH": os.environ.get("PATH", os.defpath)},
            cwd=Path(units.service["WorkingDirectory"][0]),
            last_signal=signal.SIGTERM,
            pass_fds=(listener.fileno(),),
        )
        stack.callback(process.stop, signal.SIGTERM, 45)
        with _clients(f"{host}:{port}") as answers:
            assert b"READY=1" in news.recv(4096)
            wait_until(lambda: len(answers) > 20)
            assert not _may_call(f"{host}:{port}")
            with units.settings.open("a") as settings:
                settings.write(f"RAGAUTH_CORS_ORIGINS={_ORIGIN}\n")
            # A second time too: what a successor inherits, it hands on.
            for _ in range(2):
                _reload(units, process)
                assert b"READY=1" in news.recv(4096)
            at_that_time = len(answers)
            wait_until(lambda: len(answers) > at_that_time + 20)
            wait_until(lambda: _may_call(f"{host}:{port}"))
            assert process.exit_code() is None
        assert set(answers) == {200}
        assert {path.name for path in units.state.iterdir()} >= {"ragauth.db", "secret_key"}


# The descriptor from which systemd's begin, and the process that they are for.
_HAND_ON = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execvp(sys.argv[2], sys.argv[2:])
"""


def _prepare(units: Units) -> None:
    """Run what systemd runs first, ExecStartPre; by a fork of what is loaded already."""
    program, *arguments = units.command("ExecStartPre")
    assert Path(program) == Path(sys.executable).with_name("flask")
    assert os.access(program, os.X_OK)
    command = ForkedCommand(
        *("flask", *arguments),
        environment={
            "PATH": os.environ.get("PATH", os.defpath),
            **dict(each.split("=", 1) for each in units.environment()),
        },
        cwd=Path(units.service["WorkingDirectory"][0]),
    )
    _, errors = command.communicate(_SECONDS)
    assert command.returncode == 0, errors


def _reload(units: Units, process: ServerProcess) -> None:
    (line,) = units.service["ExecReload"]
    subprocess.run(shlex.split(line.replace("$MAINPID", str(process.pid))), check=True)


def _may_call(address: str) -> bool:
    """Whether the origin may, which a setting says."""
    url, headers = f"http://{address}/api/auth/me", {"Origin": _ORIGIN}
    answer = httpx.get(url, headers=headers, timeout=_SECONDS, verify=NO_TLS)
    return answer.headers.get("Access-Control-Allow-Origin") == _ORIGIN


@contextmanager
def _clients(address: str) -> Iterator[list[int | str]]:
    """Ask again and again, each time over a new connection; yields the answers' statuses."""
    answers: list[int | str] = []
    has_ended = threading.Event()

    def ask() -> None:
        while not has_ended.wait(_PAUSE_SECONDS):
            connection = HTTPConnection(address, timeout=_SECONDS * slowness())
            try:
                connection.request("GET", "/readyz")
                answers.append(connection.getresponse().status)
            except (OSError, HTTPException) as error:
                answers.append(repr(error))
            finally:
                connection.close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        has_ended.set()
        for thread in threads:
            thread.join()
