"""The connections to Redis: one server, the primary that Sentinels name, or a Cluster.

Each of them runs a script on the names that begin with one prefix, and tells which prefixes there
are. A connection is made at the first use, an answer is waited for within a bound, and a question
is never asked twice: a step may have been done although its answer was lost.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from zlib import crc32

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterError,
    ConnectionError,
    MovedError,
    NoScriptError,
    RedisError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, SentinelConnectionPool

from ragauth.config.redis_urls import read_redis_url, redis_place
from ragauth.config.urls import Url
from ragauth.counters.redis_scripts import Script

TIMEOUT_SECONDS = 0.25
#: Into how many parts the names in a Cluster are divided; all of an account are in one of them.
PARTS = 32

_REDIRECTIONS = 5
_RUN_ID = re.compile(rb"run_id:([0-9a-f]+)")

Address = tuple[str, int]


class RedisClient(Protocol):
    """Runs scripts. Safe for threads and across forks, as the pools of redis-py are."""

    def prefixes(self, installation: str) -> Sequence[str]:
        """What the names of an installation begin with."""

    def prefix_of(self, installation: str, name: bytes) -> str:
        """The one of them that belongs to an account, a bucket or a lease."""

    def evaluate(self, script: Script, prefix: str, arguments: Sequence[str | bytes | int]) -> Any:
        """Run it. Raises RedisError."""

    def start_anew(self) -> None:
        """Forget connections, and which server is the primary."""

    def close(self) -> None:
        """Let go of the connections; a later call opens them again."""


def open_client(text: str, timeout_seconds: float = TIMEOUT_SECONDS) -> RedisClient:
    """Return the client of a URL that `redis_url` wrote; opens nothing.

    An answer, and a connection, is waited for at most `timeout_seconds`.
    """
    place, url = redis_place(text), read_redis_url(text)
    options = _connection_options(url, place.database, timeout_seconds)
    if place.kind == "cluster":
        return Cluster(place.hosts, lambda host, port: redis.Redis(host, port, **options))
    if place.kind == "sentinel":
        return OneServer(_primary_of_sentinels(url, place.hosts, place.name, options))
    if not place.hosts:
        return OneServer(redis.Redis(unix_socket_path=place.name, **options))
    ((host, port),) = place.hosts
    return OneServer(redis.Redis(host, port, **options))


def _connection_options(url: Url, database: int, timeout_seconds: float) -> dict[str, Any]:
    return {
        **_shared_options(url, timeout_seconds),
        "db": database,
        "username": url.user,
        "password": url.password,
        "client_name": url.query.get("client_name"),
    }


def _shared_options(url: Url, timeout_seconds: float) -> dict[str, Any]:
    """How long is waited, and TLS: certificates are verified, with the host's name in them."""
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "retry": Retry(NoBackoff(), 0),
        # Without CLIENT SETINFO, which needs a right of its own and is unknown before Redis 7.2.
        "driver_info": None,
        "redis_connect_func": _begin,
    }
    if url.scheme.startswith("rediss"):
        options["ssl"] = True
        options |= {name: value for name, value in url.query.items() if name.startswith("ssl_")}
        options["ssl_check_hostname"] = (
            options.get("ssl_check_hostname", "true").lower() == "true"
            and options.get("ssl_cert_reqs") != "none"
        )
    return options


def _begin(connection: Any) -> None:
    """Log in at a new connection, and ask which run of the server it leads to."""
    connection.on_connect()
    connection.send_command("INFO", "server", check_health=False)
    try:
        found = _RUN_ID.search(connection.read_response())
    except ResponseError:
        found = None
    connection.ragauth_run = found[1] if found else b"unknown"


def _evaluate(
    server: Any, script: Script, prefix: str, arguments: Sequence[str | bytes | int]
) -> Any:
    # Past `execute_command`, which costs more than Redis does: it times and tells each command.
    connection = server.connection_pool.get_connection()
    try:
        run = (connection.ragauth_run,) if script.takes_run else ()
        # A node of a Cluster refuses two keys that are not in one slot, before the script begins.
        rest = (2, prefix, f"{prefix}source", *arguments, *run)
        connection.send_command("EVALSHA", script.sha, *rest, check_health=False)
        try:
            return connection.read_response()
        except NoScriptError:
            # A server that was started or took over since: it did nothing yet.
            connection.send_command("EVAL", script.text, *rest, check_health=False)
            return connection.read_response()
    finally:
        server.connection_pool.release(connection)


class OneServer:
    """A server, or the one of several that is primary now."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def prefixes(self, installation: str) -> Sequence[str]:
        return (self.prefix_of(installation, b""),)

    def prefix_of(self, installation: str, name: bytes) -> str:
        return f"ragauth:{installation}:"

    def evaluate(self, script: Script, prefix: str, arguments: Sequence[str | bytes | int]) -> Any:
        return _evaluate(self._server, script, prefix, arguments)

    def start_anew(self) -> None:
        # The next connection asks the name server, or the Sentinels, again.
        self._server.connection_pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        self._server.close()


def _primary_of_sentinels(
    url: Url, hosts: Sequence[Address], name: str, options: dict[str, Any]
) -> Any:
    own = {
        **_shared_options(url, options["socket_timeout"]),
        "username": url.query.get("sentinel_username"),
        "password": url.query.get("sentinel_password"),
    }
    sentinels = Sentinels([redis.Redis(host, port, **own) for host, port in hosts])
    pool: Any = SentinelConnectionPool  # it has no types
    return redis.Redis(connection_pool=pool(name, sentinels, **options))


class Sentinels:
    """They are asked at each new connection, as the pool of redis-py does it."""

    def __init__(self, servers: Sequence[Any]) -> None:
        self._servers = servers

    def discover_master(self, service: str) -> Address:
        """Where the primary is, by the first Sentinel that tells it.

        Raises the error of the last one (redis-py's own gathers them in a text, where a wrong
        password looks like a Sentinel that is away), MasterNotFoundError where none knows it.
        """
        error: RedisError = MasterNotFoundError("no Sentinel knows the primary")
        for server in self._servers:
            try:
                found = server.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
            except RedisError as refusal:
                error = refusal
                continue
            if found is not None:
                host, port = found
                return host.decode(), int(port)
        raise error


class Cluster:
    """Each part of the names has a hash tag, so that all that a script touches is in one slot.

    The owner of a part is learned from a node's redirection. While a slot is moved key by key, a
    script could find half of them: so it names a key that never is (the prefix), for which the
    owner sends to the next one (ASK) until all are there, and that is not followed.
    """

    def __init__(self, hosts: Sequence[Address], connect: Callable[[str, int], Any]) -> None:
        """`connect` makes the client of a node."""
        self._hosts = hosts
        self._connect = connect
        self._nodes: dict[Address, Any] = {}
        self._owners: dict[str, Address] = {}
        self._answered = hosts[0]

    def prefixes(self, installation: str) -> Sequence[str]:
        return tuple(f"ragauth:{installation}:{{{part}}}:" for part in range(PARTS))

    def prefix_of(self, installation: str, name: bytes) -> str:
        return f"ragauth:{installation}:{{{crc32(name) % PARTS}}}:"

    def evaluate(self, script: Script, prefix: str, arguments: Sequence[str | bytes | int]) -> Any:
        for _ in range(_REDIRECTIONS):
            address = self._owners.get(prefix) or self._find_owner(prefix)
            try:
                return _evaluate(self._node(address), script, prefix, arguments)
            except MovedError as moved:
                self._owners[prefix] = _new_address(moved, address)
            except AskError as error:
                raise TryAgainError("the slot is being moved") from error
            except (ConnectionError, TimeoutError):
                # Another may be its owner soon.
                self._owners.pop(prefix, None)
                raise
        raise ClusterError("the nodes send from one to another")

    def start_anew(self) -> None:
        known = {*self._hosts, *self._owners.values()}
        self._owners = {}
        nodes, self._nodes = self._nodes, {}
        for address, node in nodes.items():
            node.connection_pool.disconnect(inuse_connections=False)
            if address in known:
                self._nodes[address] = node

    def close(self) -> None:
        for node in list(self._nodes.values()):
            node.close()

    def _find_owner(self, prefix: str) -> Address:
        error: RedisError = ClusterError("no node of the Cluster was asked")
        # First the one that answered last: each one that is frozen would be waited for.
        for address in dict.fromkeys((self._answered, *self._hosts, *list(self._nodes))):
            owner = address
            try:
                self._node(address).execute_command("MGET", f"{prefix}source")
            except MovedError as moved:
                owner = _new_address(moved, address)
            except AskError:
                pass  # It is the owner still, and will refuse what is asked until it is not.
            except (ConnectionError, TimeoutError) as failure:
                error = failure
                continue
            self._answered = address
            self._owners[prefix] = owner
            return owner
        raise error

    def _node(self, address: Address) -> Any:
        # Two threads may both make one; no connection is open yet.
        return self._nodes.get(address) or self._nodes.setdefault(address, self._connect(*address))


def _new_address(moved: MovedError, asked: Address) -> Address:
    """Where a redirection leads; without a host it leads to another port of the same."""
    host, port = moved.node_addr
    return host or asked[0], port
