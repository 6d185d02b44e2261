"""The service under WSGI servers that know nothing of it, each started as its manual says."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers.gunicorn import PROJECT_ROOT, GunicornServer
from tests.servers.processes import ServerProcess, free_port

COMMANDS = {
    "flask run": ["flask", "--app", "wsgi", "run", "--port={port}"],
    # It takes X-Forwarded-… out of requests unless it is told not to.
    "waitress": [
        *("waitress", "--listen=127.0.0.1:{port}", "--no-clear-untrusted-proxy-headers"),
        "wsgi:app",
    ],
    "granian": ["granian", "--interface=wsgi", "--port={port}", "wsgi:app"],
}


@contextmanager
def start_other(name: str, environment: Mapping[str, str]) -> Iterator[GunicornServer]:
    """Yield a running server that sees no environment but the given one, and end it."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ragauth-server-") as folder:
        process = ServerProcess(
            [sys.executable, "-m", *(word.format(port=port) for word in COMMANDS[name])],
            folder=Path(folder),
            environment={"PATH": os.environ.get("PATH", os.defpath), **environment},
            cwd=PROJECT_ROOT,
            last_signal=signal.SIGTERM,
        )
        server = GunicornServer(process, port)
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.terminate()
