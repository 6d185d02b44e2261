"""How soon a started service answers, and what memory each worker takes."""

import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench import processes, wrk
from bench.client import Caller
from bench.figures import Figure, Report
from bench.population import Installation
from bench.setting import THREADS, WORKERS, Setting, serve
from bench.throughput import key_questions
from tests.servers.gunicorn import PROJECT_ROOT
from tests.servers.processes import ServerProcess, free_port

_START_SECONDS = 30
_STOP_SECONDS = 40
_FORKED_AFTER_SECONDS = 0.5
_FEW, _MORE = 2, 4


def measure(setting: Setting, report: Report) -> None:
    """Time the first answers; weigh two workers against four."""
    installation = setting.sqlite("usual", setting.usual_keys)
    (key,) = installation.sample(1)
    healthz = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    authorize = (
        "GET /api/v1/authorize HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {key}\r\n\r\n"
    ).encode()
    healthy: list[float] = []
    ready: list[float] = []
    _seconds_to(healthz, installation)  # leaves compiled modules and a warm page cache
    for _ in range(setting.rounds):
        healthy.append(_seconds_to(healthz, installation))
        ready.append(_seconds_to(authorize, installation))
    few, _ = _total_and_largest(_FEW, installation, setting)
    more, largest = _total_and_largest(_MORE, installation, setting)
    report.figures += [
        Figure("start: first answer of /healthz", median(healthy), unit="s", at_most=0.5),
        Figure("start: first answer of authorize", median(ready), unit="s", at_most=0.5),
        Figure(
            "memory (PSS) of each further worker",
            (more - few) / (_MORE - _FEW),
            unit="MiB",
            at_most=20,
        ),
    ]
    report.notes += [
        f"start: /healthz {min(healthy):.2f} to {max(healthy):.2f} s, authorize"
        f" {min(ready):.2f} to {max(ready):.2f} s, from the start of the process",
        f"memory after traffic: master and {_FEW} workers {few:.0f} MiB PSS in all, with {_MORE}"
        f" workers {more:.0f} MiB, the largest worker of these {largest:.0f} MiB",
    ]


def _seconds_to(question: bytes, installation: Installation) -> float:
    """From the start of gunicorn to the end of its first answer, which must be 200."""
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
            return time.monotonic() - began_at
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


def _total_and_largest(
    workers: int, installation: Installation, setting: Setting
) -> tuple[float, float]:
    """PSS in MiB after traffic of several kinds: of all processes, and of the largest worker."""
    with serve(installation.environment, workers=workers) as server:
        questions = key_questions(server, installation, setting, asked=4_000)
        wrk.run(questions, seconds=setting.seconds, connections=wrk.CONNECTIONS * 2)
        caller = Caller(server.url)
        tokens = [caller.log_in(number) for number in range(workers * 2)]
        for token in tokens * 10:
            for path in ("/api/auth/me", "/api/auth/api-keys", "/api/auth/events"):
                caller.ask("GET", path, credential=token, keep=False)
        caller.close()
        of_workers = [processes.pss_mebibytes(pid) for pid in server.worker_pids()]
        return sum(of_workers) + processes.pss_mebibytes(server.pid), max(of_workers)
