"""Servers forked from a Python that has loaded what they need but the service itself.

Loading Flask, SQLAlchemy and the rest takes most of the time of a start. One process of each test
process loads them once; each server is a fork of it that then runs its own code, from whichever
folder it is told. What a start looks like to an operator is tested elsewhere, by commands.
"""

import atexit
import gc
import importlib
import json
import locale
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

_ROOT = Path(__file__).parents[2]
# Of other people alone: nothing of the service is loaded before its settings are there. Nor is
# gunicorn, which reads the environment when it is loaded.
_MODULES = (
    *("alembic.command", "apispec.ext.marshmallow", "bcrypt", "cryptography.x509", "decimal"),
    *("cryptography.hazmat.primitives.asymmetric.ec", "email.message", "email_validator"),
    *(
        "asyncio",
        "concurrent.futures",
        "flask.cli",
        "flask_cors",
        "flask_jwt_extended",
        "flask_migrate",
        "flask_sqlalchemy",
    ),
    *("httpx", "idna"),
    *("jwt", "lmdb", "logging.config", "mako.template", "marshmallow", "prometheus_client"),
    *("psycopg", "psycopg_binary", "pyotp", "pythonjsonlogger.json", "redis", "redis.cluster"),
    *("redis.sentinel", "segno", "smtplib", "sqlalchemy.dialects.postgresql.psycopg"),
    *("sqlalchemy.dialects.sqlite.pysqlite", "sqlite3", "tomllib", "werkzeug.middleware.proxy_fix"),
    *("zxcvbn",),
)
_MOST_BYTES = 1_000_000
_lock = Lock()


class ForkedProcess:
    """A server that was forked; as much of `subprocess.Popen` as a test needs."""

    def __init__(self, report: socket.socket) -> None:
        self.returncode: int | None = None
        self._report = report
        self._said = b""
        while b"\n" not in self._said:
            self._hear()
        pid, _, self._said = self._said.partition(b"\n")
        self.pid = int(pid)

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        while self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self._hear()
            if b"\n" in self._said:
                self.returncode = int(self._said)
                self._report.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; `timeout` is in seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired(["forked"], timeout or 0)
            select.select([self._report], [], [], left)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _hear(self) -> None:
        said = self._report.recv(100)
        if not said:
            raise RuntimeError("a forked server was left alone by what forked it")
        self._said += said


class _Preloaded:
    """The process that forks, as long as this one lives."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                env={"PATH": os.environ.get("PATH", os.defpath)},
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        atexit.register(self.end)

    def fork(self, request: Mapping[str, Any], files: Sequence[int]) -> ForkedProcess:
        mine, theirs = socket.socketpair()
        with theirs:
            body = json.dumps(request).encode()
            head = len(body).to_bytes(4, "big")
            socket.send_fds(self._control, [head], [theirs.fileno(), *files])
            self._control.sendall(body)
        return ForkedProcess(mine)

    def end(self) -> None:
        self._control.close()
        self._process.wait()


_preloaded: _Preloaded | None = None


def is_forked(command: Sequence[object], environment: Mapping[str, str]) -> bool:
    """Return whether a fork can stand for the command.

    It cannot where the interpreter itself would start in another way.
    """
    settings = {name for name in environment if name.startswith("PYTHON")}
    is_module = list(command[:2]) == [sys.executable, "-m"]
    return is_module and settings <= {"PYTHONDONTWRITEBYTECODE"}


def fork_module(
    module: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: Path,
    output: int,
) -> ForkedProcess:
    """Run `python -m MODULE` in a session of its own; it prints to the file descriptor."""
    global _preloaded  # noqa: PLW0603 - one for the process
    request = {
        "module": module,
        "arguments": list(arguments),
        "environment": dict(environment),
        "cwd": str(cwd),
    }
    with _lock:
        if _preloaded is None:
            _preloaded = _Preloaded()
        return _preloaded.fork(request, [output])


def _serve(control: socket.socket) -> None:
    """Fork a server for each request, until nobody can ask any more."""
    # The kernel forgets the keepers.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        head, files, _, _ = socket.recv_fds(control, 4, 2)
        if not head:
            return
        size = int.from_bytes(head, "big")
        body = b""
        while len(body) < size:
            body += control.recv(min(size - len(body), _MOST_BYTES))
        if os.fork() == 0:
            control.close()
            _keep(json.loads(body), *files)
        for file in files:
            os.close(file)


def _keep(request: Mapping[str, Any], report: int, output: int) -> None:
    """Fork the server, and tell its exit code when it ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.write(report, b"%d\n" % os.getpid())
        os.close(report)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        _become(request)
        return
    os.close(output)
    _, status = os.waitpid(pid, 0)
    try:
        os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
    finally:
        os._exit(0)


def _become(request: Mapping[str, Any]) -> None:
    """Be what `python -m` would make of this process."""
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    locale.setlocale(locale.LC_CTYPE, "")
    os.chdir(request["cwd"])
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path[0] = request["cwd"]
    importlib.invalidate_caches()
    sys.argv = [request["module"], *request["arguments"]]
    sys.orig_argv = [sys.executable, "-m", *sys.argv]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    for module in _MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        _serve(asked)
