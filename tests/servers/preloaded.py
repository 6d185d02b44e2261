"""Servers forked from a Python that has loaded what they need.

Loading Flask, SQLAlchemy and the rest takes most of the time of a start. One process for all test
processes of a run loads them once; each server is a fork of it that then runs its own code, from
whichever folder it is told. A second one has loaded the service besides: it serves all but other
versions of the service. What a start looks like to an operator is tested elsewhere, by commands.
"""

import atexit
import errno
import fcntl
import gc
import importlib
import json
import locale
import os
import resource
import runpy
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn
from uuid import uuid4

from tests.servers.quick_hashes import QUICK_HASHES, hash_quickly

_ROOT = Path(__file__).parents[2]
# Of other people alone. Not gunicorn: without the program's folder it may be another one's.
_MODULES = (
    *("alembic.command", "apispec.ext.marshmallow", "bcrypt", "cryptography.x509", "decimal"),
    *("cryptography.hazmat.primitives.asymmetric.ec", "email.message", "email_validator"),
    *("asyncio", "concurrent.futures", "flask.cli", "flask_cors", "flask_jwt_extended"),
    *("flask_migrate", "flask_sqlalchemy", "httpx", "idna"),
    *("jwt", "lmdb", "logging.config", "mako.template", "marshmallow", "prometheus_client"),
    *("psycopg", "psycopg_binary", "pyotp", "pythonjsonlogger.json", "redis", "redis.cluster"),
    *("redis.sentinel", "segno", "smtplib", "sqlalchemy.dialects.postgresql.psycopg"),
    *("sqlalchemy.dialects.sqlite.pysqlite", "sqlite3", "tomllib", "werkzeug.middleware.proxy_fix"),
    *("zxcvbn",),
)
# It reads no settings before its application is made.
_PROGRAM = "ragauth"
# And what runs it, in the order in which a service loads it.
_SERVICE = ("ragauth.app", "gunicorn.app.wsgiapp", "gunicorn.arbiter", "ragauth.server.worker")
# What who connects is told: from then on the process stays.
_WELCOME = b"\n"
_MOST_BYTES = 1_000_000
_MOST_FILES = 8
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
        # It may have ended before its start was heard of.
        while b"\n" not in self._said and select.select([self._report], [], [], 0)[0]:
            self._hear()
        if self.returncode is None and b"\n" in self._said:
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
            # It may have ended, and nobody has told so yet.
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _hear(self) -> None:
        said = self._report.recv(100)
        if not said:
            raise RuntimeError("a forked server was left alone by what forked it")
        self._said += said


class _Preloaded:
    """The process that forks, as long as a test process is connected to it.

    It may have loaded the service. The first test process that wants it starts it.
    """

    def __init__(self, *, has_program: bool) -> None:
        # An abstract one, which leaves no file behind.
        address = f"\0ragauth-tests-{_run()}-{has_program}"
        while not self._try_to_connect(address, has_program=has_program):
            self.end()
            time.sleep(0.01)
        atexit.register(self.end)

    def _try_to_connect(self, address: str, *, has_program: bool) -> bool:
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket(socket.AF_UNIX) as listener:
            try:
                listener.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                listener.listen()
                self._process = _start(listener.fileno(), has_program=has_program)
        self._control = socket.socket(socket.AF_UNIX)
        try:
            self._control.connect(address)
            return self._control.recv(len(_WELCOME)) == _WELCOME
        except (ConnectionRefusedError, ConnectionResetError):
            # Who has the address does not listen yet, or is ending.
            return False

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
        if self._process is not None:
            self._process.wait()


def _run() -> str:
    """What all test processes of this run know, and nobody else guesses."""
    return os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid4().hex


def _start(listener: int, *, has_program: bool) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*(sys.executable, "-m", __name__, str(listener)), *(_SERVICE if has_program else ())],
        env={"PATH": os.environ.get("PATH", os.defpath)},
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        pass_fds=(listener,),
        start_new_session=True,
    )


# Without the service, and with it.
_preloaded: dict[bool, _Preloaded] = {}


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
    errors: int | None = None,
    given: int | None = None,
    open_files: int | None = None,
    sockets: Sequence[int] = (),
    is_linked: bool = False,
) -> ForkedProcess:
    """Run `python -m MODULE` in a session of its own; it prints to the file descriptors.

    `errors` is for what it says on stderr, where that goes elsewhere; `given` is its stdin;
    `open_files` is how many it may have, where it is to be few. It is told of the `sockets`, which
    are file descriptors, as systemd tells of those that it hands on.
    `is_linked` says that the program in `cwd` is links to this very one, and so may begin as it.
    """
    request = {
        "module": module,
        "arguments": list(arguments),
        "environment": dict(environment),
        "cwd": str(cwd),
        "open_files": open_files,
        "sockets": len(sockets),
    }
    with _lock:
        # What is not the service may begin with it as well, and then needs no process of its own.
        has_program = is_linked or cwd == _ROOT or not (cwd / _PROGRAM).exists()
        if has_program not in _preloaded:
            _preloaded[has_program] = _Preloaded(has_program=has_program)
        with open(os.devnull, "rb") as nothing:
            files = (
                nothing.fileno() if given is None else given,
                output,
                output if errors is None else errors,
                *sockets,
            )
            return _preloaded[has_program].fork(request, files)


def _serve(listener: socket.socket) -> None:
    """Fork a server for each request, and tell each one's exit code, until nobody asks any more."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    # Who may ask, by descriptor.
    controls: dict[int, socket.socket] = {}
    # By a descriptor that can be read when the server has ended: its process, and whom to tell.
    servers: dict[int, tuple[int, int]] = {}
    while True:
        for ready, _ in poll.poll():
            if ready == listener.fileno():
                control, _ = listener.accept()
                if not _is_ours(control):
                    control.close()
                    continue
                # It may have ended already.
                with suppress(OSError):
                    control.sendall(_WELCOME)
                controls[control.fileno()] = control
                poll.register(control, select.POLLIN)
                continue
            if ready in servers:
                poll.unregister(ready)
                _tell_its_end(ready, *servers.pop(ready))
                continue
            head, files, _, _ = socket.recv_fds(controls[ready], 4, _MOST_FILES)
            if not head:
                poll.unregister(ready)
                controls.pop(ready).close()
                if not controls and not select.select([listener], [], [], 0)[0]:
                    return
                continue
            report, *files = files
            request = _receive(controls[ready], int.from_bytes(head, "big"))
            if request is None:
                for file in (report, *files):
                    os.close(file)
                continue
            pid = os.fork()
            if pid == 0:
                for file in (
                    *(listener.detach(), *(each.detach() for each in controls.values())),
                    *(*servers, *(each for _, each in servers.values())),
                ):
                    os.close(file)
                _begin(request, report, files)
            for file in files:
                os.close(file)
            pidfd = os.pidfd_open(pid)
            servers[pidfd] = pid, report
            poll.register(pidfd, select.POLLIN)


def _is_ours(control: socket.socket) -> bool:
    """Whether who asks is this very user: the address is for everybody on the machine."""
    told = control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", told)
    return bool(user == os.getuid())


def _receive(control: socket.socket, size: int) -> Any:
    """What is asked; None if who asked has ended in the middle of it."""
    body = b""
    while len(body) < size:
        part = control.recv(min(size - len(body), _MOST_BYTES))
        if not part:
            return None
        body += part
    return json.loads(body)


def _tell_its_end(pidfd: int, pid: int, report: int) -> None:
    os.close(pidfd)
    # What the server took counts as this process' children's.
    _, status = os.waitpid(pid, 0)
    # Nobody may be there any more who wants to know.
    with suppress(OSError):
        os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
    os.close(report)


def _begin(request: Mapping[str, Any], report: int, files: Sequence[int]) -> NoReturn:
    """Be a server, in a session of its own; never returns."""
    os.setsid()
    os.write(report, b"%d\n" % os.getpid())
    os.close(report)
    # Out of the way of the numbers that they get: 0, 1, 2, and then the sockets.
    copies = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _MOST_FILES) for file in files]
    for file in files:
        os.close(file)
    for number, copy in enumerate(copies):
        os.dup2(copy, number)
        os.close(copy)
    _become(request)


def _become(request: Mapping[str, Any]) -> NoReturn:
    """Be what `python -m` would make of this process."""
    if (files := request["open_files"]) is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    os.environ.clear()
    os.environ.update(request["environment"])
    if request["sockets"]:
        os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(request["sockets"])}
    time.tzset()
    locale.setlocale(locale.LC_CTYPE, "")
    os.chdir(request["cwd"])
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    if QUICK_HASHES in os.environ:
        hash_quickly()
    if metrics := sys.modules.get(f"{_PROGRAM}.metrics"):
        # It shares its memory with its children, and must not with what was forked beside it.
        metrics.board._memory = type(metrics.board)()._memory
        metrics.board._use(0)
    if request["module"] == "gunicorn" and (config := sys.modules.get("gunicorn.config")):
        # It takes settings from the environment when it is loaded.
        importlib.reload(config)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path[0] = request["cwd"]
    importlib.invalidate_caches()
    sys.argv = [request["module"], *request["arguments"]]
    sys.orig_argv = [sys.executable, "-m", *sys.argv]
    code: object = None
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
    _end(code)


def _end(code: object) -> NoReturn:
    """End as an interpreter does, but for freeing each object, which takes as long as a start."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    for stream in (sys.stdout, sys.stderr):
        # One that could not write, as the disk is full, may have closed it.
        if not stream.closed:
            stream.flush()
    os._exit(code or 0)


def _begin_applications() -> None:
    """Do once what each application of the service would begin with; nothing of it is its own.

    Besides, all that are forked write what builds their URLs when it is needed, not before.
    """
    from sqlalchemy.orm import configure_mappers  # noqa: PLC0415

    # It loads the service.
    from tests.quick_apps import write_builders_late  # noqa: PLC0415

    configure_mappers()
    write_builders_late()


if __name__ == "__main__":
    # What is loaded stays.
    gc.disable()
    for module in (*_MODULES, *sys.argv[2:]):
        importlib.import_module(module)
    if _PROGRAM in sys.modules:
        _begin_applications()
    gc.collect()
    gc.freeze()
    gc.enable()
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        _serve(asked)
