"""How soon a started service answers, and what CPU that takes."""

import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench import processes
from bench.checks import AUTHORIZE
from bench.figures import Figure, Report
from bench.population import Installation
from bench.setting import THREADS, WORKERS, Setting
from tests.servers.gunicorn import PROJECT_ROOT
from tests.servers.processes import ServerProcess, free_port

_START_SECONDS = 30
_STOP_SECONDS = 40
_FORKED_AFTER_SECONDS = 0.5


def measure(setting: Setting, report: Report) -> None:
    """Time the first answers of two routes."""
    installation = setting.usual()
    (key,) = installation.sample(1)
    questions = {"/healthz": _question("/healthz"), AUTHORIZE: _question(AUTHORIZE, key)}
    found: dict[str, list[tuple[float, float]]] = {path: [] for path in questions}
    # Leaves compiled modules and a warm page cache.
    _first_answer(questions["/healthz"], installation)
    for _ in range(setting.rounds):
        for path, question in questions.items():
            found[path].append(_first_answer(question, installation))
    for path, starts in found.items():
        seconds, cpus = zip(*starts, strict=True)
        report.figures.append(
            Figure(f"first answer of `{path}` after start", median(seconds), unit="s", at_most=0.8)
        )
        report.notes.append(
            f"start: `{path}` {min(seconds):.2f} to {max(seconds):.2f} s from the start of the"
            f" process; {median(cpus):.2f} s of CPU until then"
        )


def _question(path: str, key: str | None = None) -> bytes:
    credential = "" if key is None else f"Authorization: Bearer {key}\r\n"
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{credential}\r\n"
    return head.encode()


def _first_answer(question: bytes, installation: Installation) -> tuple[float, float]:
    """From the start of gunicorn to its first answer, which must be 200: seconds, and of CPU."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ragauth-start-") as folder:
        began_at = time.monotonic()
        process = ServerProcess(
            [sys.executable, "-m", "gunicorn", "-c", "python:ragauth.gunicorn_conf", "wsgi:app"],
            folder=Path(folder),
            environment={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "WEB_CONCURRENCY": str(WORKERS),
                "WEB_THREADS": str(THREADS),
                **installation.environment,
            },
            cwd=PROJECT_ROOT,
            last_signal=signal.SIGTERM,
        )
        try:
            while not _answers(port, question):
                if time.monotonic() - began_at > _START_SECONDS:
                    raise RuntimeError(f"no answer:\n{process.log()}")
                time.sleep(0.002)
            seconds = time.monotonic() - began_at
            return seconds, processes.cpu_seconds(processes.family(process.pid))
        finally:
            # A worker that is told to end while it is being forked does not hear it, and gunicorn
            # waits for it as long as its graceful timeout lasts.
            time.sleep(_FORKED_AFTER_SECONDS)
            process.stop(signal.SIGTERM, _STOP_SECONDS)


def _answers(port: int, question: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_START_SECONDS) as connection:
            connection.sendall(question)
            return connection.makefile("rb").readline().split()[1:2] == [b"200"]
    except OSError:
        return False
