"""The connections to Redis: one server, the primary that Sentinels name, or a Cluster.

Each client runs scripts on the names that begin with one prefix, and tells which prefixes there
are. A connection is opened at the first use. The wait for an answer is bounded, and a script is
never sent twice, because it may have run although its answer was lost.
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
from ragauth.counters.late_answers import AnswerIsLate, LateAnswer
from ragauth.counters.redis_scripts import Script

TIMEOUT_SECONDS = 0.25
#: The number of parts that the names in a Cluster are divided into; one account is in one part.
PARTS = 32

_REDIRECTIONS = 5
_RUN_ID = re.compile(rb"run_id:([0-9a-f]+)")

Address = tuple[str, int]


class RedisClient(Protocol):
    """Runs scripts. Safe for threads and across forks, as the pools of redis-py are."""

    def prefixes(self, installation: str) -> Sequence[str]:
        """The prefixes of the installation's names."""

    def prefix_of(self, installation: str, name: bytes) -> str:
        """The prefix for an account, a bucket or a lease."""

    def evaluate(self, script: Script, prefix: str, arguments: Sequence[str | bytes | int]) -> Any:
        """Run a script; raises RedisError.

        After AnswerIsLate the connection is the caller's, who must await or drop the answer.
        """

    def start_anew(self) -> None:
        """Close idle connections, and forget which server is the primary."""

    def close(self) -> None:
        """Close the connections; a later call opens them again."""


def open_client(text: str, timeout_seconds: float = TIMEOUT_SECONDS) -> RedisClient:
    """Return the client for a URL in the form of `redis_url`; opens no connection.

    The wait for a connection or an answer is `timeout_seconds` at most.
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
    """Time-outs and TLS; certificates and the host names in them are verified."""
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "retry": Retry(NoBackoff(), 0),
        # No CLIENT SETINFO: it needs a permission of its own and is unknown before Redis 7.2.
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
    """Log in at a new connection, and ask for the server's run id."""
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
    # Not by `execute_command`, which costs more time than Redis itself: it measures and reports
    # each command.
    pool = server.connection_pool
    connection = pool.get_connection()
    is_late = False
    try:
        run = (connection.ragauth_run,) if script.takes_run else ()
        # Two keys: a node of a Cluster that has only one of them, because their slot is being
        # moved, refuses the script before it begins.
        rest = (2, prefix, f"{prefix}source", *arguments, *run)
        connection.send_command("EVALSHA", script.sha, *rest, check_health=False)
        try:
            return _read_answer(pool, connection)
        except NoScriptError:
            # The server was restarted or replaced, and has not run the script.
            connection.send_command("EVAL", script.text, *rest, check_health=False)
            return _read_answer(pool, connection)
    except AnswerIsLate:
        is_late = True
        raise
    finally:
        if not is_late:
            pool.release(connection)


def _read_answer(pool: Any, connection: Any) -> Any:
    """Return the answer; after AnswerIsLate, and after it alone, it can still come."""
    try:
        return connection.read_response(disconnect_on_error=False)
    except TimeoutError as error:
        raise AnswerIsLate(str(error), LateAnswer(pool, connection)) from error
    except ResponseError:
        raise
    except BaseException:
        connection.disconnect()
        raise


class OneServer:
    """One server: a fixed one, or the present primary of several."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def prefixes(self, installation: str) -> Sequence[str]:
        return (self.prefix_of(installation, b""),)

    def prefix_of(self, installation: str, name: bytes) -> str:
        return f"ragauth:{installation}:"

    def evaluate(self, script: Script, prefix: str, arguments: Sequence[str | bytes | int]) -> Any:
        return _evaluate(self._server, script, prefix, arguments)

    def start_anew(self) -> None:
        # The next connection looks the name up, or asks the Sentinels, again.
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
    """The Sentinels; the pool of redis-py asks them at each new connection."""

    def __init__(self, servers: Sequence[Any]) -> None:
        self._servers = servers

    def discover_master(self, service: str) -> Address:
        """The address of the primary, from the first Sentinel that knows it.

        Raises the error of the last Sentinel, or MasterNotFoundError if none knows it. redis-py's
        own method joins the errors into one text, in which a wrong password looks like a Sentinel
        that is away.
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
    """A Cluster. Each part of the names has a hash tag: all keys of a script are in one slot.

    The owner of a part is learned from a node's redirection. While a slot is moved key by key, a
    script could find only half of its keys. So each script also names a key that never exists (the
    prefix). Because of it the old owner refuses the script (ASK or TRYAGAIN) until the whole slot
    is moved, and the client does not follow ASK.
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
                # Another node may become the owner soon.
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
        # First the node that answered last, because each frozen node costs a time-out.
        for address in dict.fromkeys((self._answered, *self._hosts, *list(self._nodes))):
            owner = address
            try:
                self._node(address).execute_command("MGET", f"{prefix}source")
            except MovedError as moved:
                owner = _new_address(moved, address)
            except AskError:
                pass  # Still the owner; it refuses scripts until the slot is moved.
            except (ConnectionError, TimeoutError) as failure:
                error = failure
                continue
            self._answered = address
            self._owners[prefix] = owner
            return owner
        raise error

    def _node(self, address: Address) -> Any:
        # Two threads may both make a client, which is harmless: it has no connection yet.
        return self._nodes.get(address) or self._nodes.setdefault(address, self._connect(*address))


def _new_address(moved: MovedError, asked: Address) -> Address:
    """The address in a redirection; without a host it means another port of the same host."""
    host, port = moved.node_addr
    return host or asked[0], port
