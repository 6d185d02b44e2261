"""The connections to Redis: one server, the primary that Sentinels name, or a Cluster.

Each client runs scripts on the names that begin with one prefix, and tells which prefixes there
are. A connection is opened at the first use. The wait for an answer is bounded, and a script is
never sent twice, because it may have run although its answer was lost.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias
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
from ragauth.counters.late_answers import AnswerIsLate, LateReplies
from ragauth.counters.redis_scripts import Script

TIMEOUT_SECONDS = 0.25
#: The number of parts that the names in a Cluster are divided into; one account is in one part.
PARTS = 32

_REDIRECTIONS = 5
_RUN_ID = re.compile(rb"run_id:([0-9a-f]+)")

Address = tuple[str, int]
#: What a script returned, or the RedisError instead of it.
Reply: TypeAlias = Any


class Call(NamedTuple):
    """A script on the names with this prefix."""

    script: Script
    prefix: str
    arguments: Sequence[str | bytes | int]


class RedisClient(Protocol):
    """Runs scripts. Safe for threads and across forks, as the pools of redis-py are."""

    def prefixes(self, installation: str) -> Sequence[str]:
        """The prefixes of the installation's names."""

    def prefix_of(self, installation: str, name: bytes) -> str:
        """The prefix for an account, a bucket or a lease."""

    def evaluate(self, call: Call) -> Any:
        """Run a script; raises RedisError.

        After AnswerIsLate the caller must await or drop the answer.
        """

    def evaluate_all(self, calls: Sequence[Call]) -> list[Reply]:
        """Run scripts that do not depend on each other, at less cost than one by one.

        A RedisError stands in the place of a reply that did not come. Raises RedisError if nothing
        was run.
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


def _evaluate_all(server: Any, calls: Sequence[Call], *, sends_text: bool = False) -> list[Reply]:
    """Run several scripts in one round trip; `sends_text` for those that the server may not know.

    The reply of each stands in its place, or the RedisError instead of it. Raises RedisError if
    nothing was run.
    """
    # Not by `execute_command`, which costs more time than Redis itself: it measures and reports
    # each command.
    pool = server.connection_pool
    connection = pool.get_connection()
    is_ours = True
    try:
        run = connection.ragauth_run
        commands = [_command(call, run, sends_text=sends_text) for call in calls]
        connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        replies = _read_replies(pool, connection, len(calls))
        is_ours = not isinstance(replies[-1], AnswerIsLate)
    except BaseException:
        connection.disconnect()
        raise
    finally:
        if is_ours:
            pool.release(connection)
    unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        # The server was restarted or replaced, and has not run these scripts.
        again = _evaluate_all(server, [calls[place] for place in unknown], sends_text=True)
        for place, reply in zip(unknown, again, strict=True):
            replies[place] = reply
    return replies


def _command(call: Call, run: bytes, *, sends_text: bool) -> tuple[str | bytes | int, ...]:
    script, prefix, arguments = call
    how = ("EVAL", script.text) if sends_text else ("EVALSHA", script.sha)
    # Two keys: a node of a Cluster that has only one of them, because their slot is being moved,
    # refuses the script before it begins.
    names = (2, prefix, f"{prefix}source")
    return *how, *names, *arguments, *((run,) if script.takes_run else ())


def _read_replies(pool: Any, connection: Any, count: int) -> list[Reply]:
    """The replies; after AnswerIsLate the last ones, and these alone, can still come."""
    replies: list[Reply] = []
    while len(replies) < count:
        try:
            replies.append(connection.read_response(disconnect_on_error=False))
        except ResponseError as error:
            replies.append(error)
        except TimeoutError as error:
            late = LateReplies(pool, connection, count - len(replies))
            replies += [AnswerIsLate(str(error), answer) for answer in late.answers()]
        except RedisError as error:
            connection.disconnect()
            replies += [error] * (count - len(replies))
    return replies


def _only(replies: Sequence[Reply]) -> Any:
    """The reply to a single call, or its error raised."""
    (reply,) = replies
    if isinstance(reply, RedisError):
        raise reply
    return reply


class OneServer:
    """One server: a fixed one, or the present primary of several."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def prefixes(self, installation: str) -> Sequence[str]:
        return (self.prefix_of(installation, b""),)

    def prefix_of(self, installation: str, name: bytes) -> str:
        return f"ragauth:{installation}:"

    def evaluate(self, call: Call) -> Any:
        return _only(self.evaluate_all((call,)))

    def evaluate_all(self, calls: Sequence[Call]) -> list[Reply]:
        return _evaluate_all(self._server, calls)

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

    def evaluate(self, call: Call) -> Any:
        return _only(self.evaluate_all((call,)))

    def evaluate_all(self, calls: Sequence[Call]) -> list[Reply]:
        replies: list[Reply] = [ClusterError("the nodes send from one to another")] * len(calls)
        left = list(range(len(calls)))
        for _ in range(_REDIRECTIONS):
            for place, reply in self._evaluate_once(calls, left):
                replies[place] = reply
            # What was redirected has not run.
            left = [place for place in left if isinstance(replies[place], MovedError)]
            if not left:
                break
        for place in left:
            replies[place] = ClusterError("the nodes send from one to another")
        return replies

    def _evaluate_once(
        self, calls: Sequence[Call], places: Sequence[int]
    ) -> Iterator[tuple[int, Reply]]:
        """Ask each owner for its own, in one go; learn from redirections."""
        by_owner: dict[Address, list[int]] = {}
        for place in places:
            prefix = calls[place].prefix
            try:
                owner = self._owners.get(prefix) or self._find_owner(prefix)
            except RedisError as error:
                yield place, error
            else:
                by_owner.setdefault(owner, []).append(place)
        for owner, own in by_owner.items():
            try:
                replies = _evaluate_all(self._node(owner), [calls[place] for place in own])
            except RedisError as error:
                replies = [error] * len(own)
            for place, reply in zip(own, replies, strict=True):
                yield place, self._learn(calls[place].prefix, owner, reply)

    def _learn(self, prefix: str, owner: Address, reply: Reply) -> Reply:
        if isinstance(reply, MovedError):
            self._owners[prefix] = _new_address(reply, owner)
        elif isinstance(reply, AskError):
            return TryAgainError("the slot is being moved")
        elif isinstance(reply, ConnectionError | TimeoutError):
            # Another node may become the owner soon.
            self._owners.pop(prefix, None)
        return reply

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
