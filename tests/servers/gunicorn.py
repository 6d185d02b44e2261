"""A real gunicorn for the tests, started as in production."""

import http.client
import os
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers.processes import ServerProcess, children_of, free_port
from tests.waiting import slowness

PROJECT_ROOT = Path(__file__).parents[2]
# For clients of a loopback port: each would else read the list of those whom the machine trusts.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

_START_SECONDS = 30
# More than gunicorn's own graceful timeout of 30 s.
_STOP_SECONDS = 40


class GunicornServer:
    """A gunicorn master and its workers on a loopback port."""

    def __init__(self, process: ServerProcess, port: int) -> None:
        self._process = process
        self._port = port
        self.url = f"http://127.0.0.1:{port}"
        self.pid = process.pid

    def log(self) -> str:
        """Return everything that master and workers have printed so far.

        A line is written beside its request, a moment later: wait while lines come.
        """
        seen = None
        while seen != (seen := self._process.log()):
            time.sleep(0.02 * slowness())
        return seen

    def worker_pids(self) -> list[int]:
        """Return the master's living children, but for the process beside the workers."""
        beside = self.pids_beside()
        return [pid for pid in children_of(self.pid) if pid not in beside]

    def pids_beside(self) -> list[int]:
        """Return the master's children that serve no requests."""
        return [pid for pid in children_of(self.pid) if _name_of(pid) == "ragauth beside"]

    def terminate(self) -> int:
        """Send SIGTERM to the master and return its exit code."""
        return self._process.stop(signal.SIGTERM, _STOP_SECONDS)

    def wait_until_ready(self, workers: int | None = None, beside: int = 0) -> None:
        """Wait until /healthz answers 200 and so many workers are there, if any are named.

        `beside` is how many processes beside them there must be.
        """
        deadline = time.monotonic() + _START_SECONDS * slowness()
        while not (
            self._is_healthy()
            and len(self.pids_beside()) >= beside
            and workers in (None, len(self.worker_pids()))
        ):
            if self._process.exit_code() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not answer /healthz:\n{self.log()}")
            time.sleep(0.02)

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _count_beside(environment: Mapping[str, str], config: str | None, program: Path) -> int:
    """Return how many processes beside the workers this program starts, so configured."""
    has_one = (program / "ragauth" / "server" / "beside.py").exists()
    return int(has_one and bool(config) and environment.get("RAGAUTH_SERVER") != "gunicorn")


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextmanager
def start_gunicorn(
    environment: Mapping[str, str],
    *,
    workers: int = 2,
    app: str = "wsgi:app",
    config: str | None = "python:ragauth.gunicorn_conf",
    cwd: Path = PROJECT_ROOT,
    open_files: int | None = None,
    log_to: int | None = None,
    is_linked: bool = False,
) -> Iterator[GunicornServer]:
    """Yield a running gunicorn that sees no environment but the given one, and kill it.

    How it ends when it is told to is seen where a test tells it to: others need not wait for that.
    `open_files` is how many it may have, where it is to be few; `log_to` a file descriptor that it
    prints to. `is_linked` says that the program in `cwd` is links to this one.
    """
    port = int(environment.get("PORT") or free_port())
    # Without a configuration gunicorn would bind every address.
    arguments = ["--bind", f"127.0.0.1:{port}"] if config is None else ["--config", config]
    with tempfile.TemporaryDirectory(prefix="ragauth-gunicorn-") as folder:
        process = ServerProcess(
            [sys.executable, "-m", "gunicorn", *arguments, app],
            folder=Path(folder),
            environment={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "WEB_CONCURRENCY": str(workers),
                **environment,
            },
            cwd=cwd,
            last_signal=signal.SIGTERM,
            log_to=log_to,
            open_files=open_files,
            is_linked=is_linked,
        )
        server = GunicornServer(process, port)
        try:
            server.wait_until_ready(workers, beside=_count_beside(environment, config, cwd))
            yield server
        finally:
            process.kill()
