"""One host of ragauth: its gunicorn, whose log is a pipe that is read, searched and kept."""

import contextlib
import fcntl
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers.gunicorn import PROJECT_ROOT, GunicornServer
from tests.servers.processes import ServerProcess, free_port
from tests.soak.asking import Answer, ask

WORKERS = 2
_STOP_SECONDS = 60
_KEPT_BYTES = 32 * 2**20
# Small, so that a pipe that is not read is full at once.
_PIPE_BYTES = 4096
_SECRET = re.compile(
    rb"rag_(?:live|test|pub|svc)_[0-9A-Za-z]{36}|eyJ[\w-]{8,}\.[\w-]{8,}\.|otters-in-the-reeds"
)
_STACK = b"Traceback (most recent call last)"

# What was wrong with a line, and the line.
TellOfLine = Callable[[str, str], None]


class LogPipe:
    """Reads a host's log as a collector does; keeps its last 32 to 64 MiB."""

    def __init__(self, pipe: Path, kept: Path, tell: TellOfLine) -> None:
        os.mkfifo(pipe)
        # For both: a pipe without a reader or a writer would end whoever opens the other end.
        self._pipe = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._kept = kept
        self._tell = tell
        self._is_read = threading.Event()
        self._is_read.set()
        self._is_closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Read no more: the pipe fills up."""
        self._is_read.clear()

    def release(self) -> None:
        self._is_read.set()

    def tail(self) -> str:
        """The last of what was read."""
        if not self._kept.exists():
            return ""
        with self._kept.open("rb") as file:
            file.seek(max(0, self._kept.stat().st_size - 4000))
            return file.read().decode(errors="replace")

    def close(self) -> None:
        self._is_closed = True
        self._is_read.set()
        self._thread.join()
        os.close(self._pipe)

    def _read(self) -> None:
        rest = b""
        kept = self._kept.open("ab")
        while True:
            self._is_read.wait()
            if not select.select([self._pipe], [], [], 0.2)[0]:
                if self._is_closed:
                    break
                continue
            if not self._is_read.is_set():
                # What came after `hold` stays in the pipe.
                continue
            data = os.read(self._pipe, 65_536)
            kept.write(data)
            kept.flush()
            if kept.tell() > _KEPT_BYTES:
                kept.close()
                self._kept.replace(self._kept.with_suffix(".older.log"))
                kept = self._kept.open("ab")
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-65_536:]
            for line in lines:
                self._search(line)
        kept.close()

    def _search(self, line: bytes) -> None:
        if _SECRET.search(line):
            self._tell("no secret stands in the log", line.decode(errors="replace")[:300])
        if _STACK in line:
            self._tell("no stack stands in the log", line.decode(errors="replace")[:3000])


class _PipedProcess(ServerProcess):
    """Its log cannot be read from its path, which is a pipe."""

    def __init__(self, pipe: LogPipe, command: Sequence[str | Path], **options: Any) -> None:
        self._log_pipe = pipe
        super().__init__(command, **options)

    def log(self) -> str:
        return self._log_pipe.tail()


class Host:
    """Starts and ends one host at an address that stays; nothing else starts it again."""

    def __init__(
        self, name: str, environment: Mapping[str, str], folder: Path, logs: Path, tell: TellOfLine
    ) -> None:
        self.name = name
        self.port = free_port()
        self.instance = Path(environment["RAGAUTH_INSTANCE_DIR"])
        self._environment = environment
        self._folder = folder / f"host-{name}"
        self._folder.mkdir()
        self.log = LogPipe(self._folder / "log", logs / f"host-{name}.log", tell)
        self._process: _PipedProcess | None = None

    def start(self) -> None:
        """Start it and wait until it answers with all its workers."""
        self._process = _PipedProcess(
            self.log,
            [sys.executable, *("-m", "gunicorn", "-c", "python:ragauth.gunicorn_conf", "wsgi:app")],
            folder=self._folder,
            environment={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOST": "127.0.0.1",
                "PORT": str(self.port),
                "WEB_CONCURRENCY": str(WORKERS),
                **self._environment,
            },
            cwd=PROJECT_ROOT,
            last_signal=signal.SIGTERM,
        )
        self._server.wait_until_ready(WORKERS)

    def stop(self) -> int:
        """SIGTERM to the master; returns its exit code."""
        process, self._process = self._process, None
        return process.stop(signal.SIGTERM, _STOP_SECONDS) if process is not None else 0

    def close(self) -> None:
        """End it whatever state it is in."""
        self.log.release()
        if self._process is not None:
            for pid in self.worker_pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            with contextlib.suppress(TimeoutError):
                self.stop()
        self.log.close()

    def worker_pids(self) -> list[int]:
        return [] if self._process is None else sorted(self._server.worker_pids())

    @property
    def has_ended(self) -> bool:
        """Whether its master ended without being told to."""
        return self._process is not None and self._process.exit_code() is not None

    def ask(self, method: str, path: str, **arguments: Any) -> Answer:
        """Send one request."""
        return ask(self.name, self.port, method, path, **arguments)

    def wait_for_workers(self, seconds: float) -> None:
        """Wait until the master has all its workers."""
        deadline = time.monotonic() + seconds
        while len(self.worker_pids()) < WORKERS and time.monotonic() < deadline:
            time.sleep(0.05)

    @property
    def _server(self) -> GunicornServer:
        assert self._process is not None
        return GunicornServer(self._process, self.port)
