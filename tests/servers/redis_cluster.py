"""A real Redis Cluster for the tests: two primaries, and a replica of the first."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import redis

from tests.servers.processes import free_port
from tests.servers.redis import RedisServer, start_redis
from tests.waiting import wait_until

_SLOTS = 16_384
_OPTIONS = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")


class RedisCluster:
    """`first` owns the lower half of the slots, `second` the other; `replica` follows `first`."""

    def __init__(self, first: RedisServer, second: RedisServer, replica: RedisServer) -> None:
        self.first, self.second, self.replica = first, second, replica
        self.clients: dict[RedisServer, Any] = {
            server: redis.Redis(port=server.port) for server in (first, second, replica)
        }

    @property
    def url(self) -> str:
        """Names a node that does not run, and the one that lives through all tests."""
        return f"redis+cluster://127.0.0.1:1,127.0.0.1:{self.second.port}"

    def ask(self, server: RedisServer, *words: str | int) -> Any:
        """Run a CLUSTER command; the answer as it comes."""
        return self.clients[server].execute_command("CLUSTER", *words)

    def id_of(self, server: RedisServer) -> str:
        return str(self.ask(server, "MYID").decode())

    def join(self, buses: list[int]) -> None:
        half = _SLOTS // 2
        for server, epoch in ((self.first, 1), (self.second, 2), (self.replica, 3)):
            self.ask(server, "SET-CONFIG-EPOCH", epoch)
        self.ask(self.first, "ADDSLOTSRANGE", 0, half - 1)
        self.ask(self.second, "ADDSLOTSRANGE", half, _SLOTS - 1)
        for server, bus in zip((self.second, self.replica), buses[1:], strict=True):
            self.ask(self.first, "MEET", "127.0.0.1", server.port, bus)
        self.wait_until_whole()
        first = self.id_of(self.first)
        wait_until(lambda: first.encode() in self.ask(self.replica, "NODES"))
        self.ask(self.replica, "REPLICATE", first)
        self.wait_for_the_replica()

    def wait_for_the_replica(self) -> None:
        """Wait until it has all that the first has."""
        wait_until(self._replicates)

    def wait_until_whole(self) -> None:
        """Wait until each slot has an owner and each primary knows it."""
        for server in (self.first, self.second):
            wait_until(partial(_is_whole, self.clients[server]))

    def _replicates(self) -> bool:
        with redis.Redis(port=self.first.port) as client:
            client.execute_command("SET", "{06S}", "x")  # of slot 0
            return bool(client.execute_command("WAIT", 1, 100))


def _is_whole(client: Any) -> bool:
    state = client.execute_command("CLUSTER", "INFO")
    known = client.execute_command("CLUSTER", "NODES")
    return b"cluster_state:ok" in state and known.count(b"connected") == 3


@contextmanager
def start_redis_cluster() -> Iterator[RedisCluster]:
    """Yield a running Cluster, and end it."""
    with ExitStack() as servers:
        buses = [free_port() for _ in range(3)]
        first, second, replica = [
            servers.enter_context(start_redis(*_OPTIONS, "--cluster-port", str(bus)))
            for bus in buses
        ]
        cluster = RedisCluster(first, second, replica)
        for client in cluster.clients.values():
            servers.callback(client.close)
        cluster.join(buses)
        yield cluster
