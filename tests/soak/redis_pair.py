"""A Redis and a replica of it, and a Sentinel that lets the replica take over."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import Redis, RedisError

from tests.servers.redis import RedisServer, SentinelServer, start_redis, start_sentinel

_NAME = "tests"
_SECONDS = 30


class RedisPair:
    """Two servers, which change their parts when the Sentinel says so."""

    def __init__(self, servers: tuple[RedisServer, RedisServer], sentinel: SentinelServer) -> None:
        self._servers = servers
        self._sentinel = sentinel
        self._killed: RedisServer | None = None

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self._sentinel.port}/{_NAME}/0"

    def kill_primary(self) -> None:
        """End the primary at once; the Sentinel lets the other one take over."""
        port = self._primary_port()
        (self._killed,) = (server for server in self._servers if server.port == port)
        self._killed.kill()

    def wait_for_another(self) -> None:
        """Wait until the Sentinel names another primary."""
        assert self._killed is not None
        self._wait(lambda: self._primary_port() != self._killed_port())

    def return_as_replica(self) -> None:
        """Start what was killed, and wait until it follows the one that took over."""
        killed, self._killed = self._killed, None
        if killed is not None:
            killed.start()
            with Redis(port=killed.port) as client:
                self._wait(lambda: client.info("replication").get("master_link_status") == "up")

    def _killed_port(self) -> int:
        assert self._killed is not None
        return self._killed.port

    def _primary_port(self) -> int:
        with Redis(port=self._sentinel.port) as client:
            _, port = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", _NAME)
        return int(port)

    def _wait(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                if reached():
                    return
            except RedisError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError("Redis's pair does not come together again")
            time.sleep(0.05)


@contextmanager
def start_redis_pair() -> Iterator[RedisPair]:
    """Yield a primary with a replica that has all of it, and end them."""
    with (
        start_redis() as first,
        start_redis("--replicaof", "127.0.0.1", str(first.port)) as second,
        start_sentinel(first) as sentinel,
    ):
        pair = RedisPair((first, second), sentinel)
        with Redis(port=second.port) as client:
            pair._wait(lambda: client.info("replication").get("master_link_status") == "up")
        with Redis(port=sentinel.port) as client:
            pair._wait(lambda: int(client.sentinel_master(_NAME)["num-slaves"]) == 1)
        yield pair
