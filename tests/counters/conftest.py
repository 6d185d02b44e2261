"""Both stores, empty, for the tests that hold for either."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from ragauth.counters import Counters, LmdbCounters
from ragauth.counters.failover import FailoverCounters
from ragauth.counters.redis_store import RedisCounters
from tests.counters.failover_support import Clock, CountedRedis, admitted, is_connected_there
from tests.counters.questions import installation, open_redis
from tests.counters.stepped_time import SteppedTime
from tests.servers.redis import RedisServer, start_redis
from tests.servers.redis_cluster import RedisCluster, start_redis_cluster


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    with start_redis() as server:
        yield server


@pytest.fixture
def redis_client(shared_redis: RedisServer) -> Iterator[redis.Redis]:
    """A plain client of an empty Redis."""
    with redis.Redis.from_url(shared_redis.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def lmdb_path(tmp_path: Path) -> Path:
    return tmp_path / "counters.mdb"


@pytest.fixture
def lmdb_counters(lmdb_path: Path) -> Iterator[LmdbCounters]:
    store = LmdbCounters(lmdb_path)
    yield store
    store.close()


@pytest.fixture
def time(lmdb_counters: LmdbCounters) -> SteppedTime:
    """The clocks of the counters in the file."""
    time = SteppedTime()
    lmdb_counters._monotonic = time.monotonic
    return time


@pytest.fixture
def redis_counters(shared_redis: RedisServer, redis_client: redis.Redis) -> Iterator[RedisCounters]:
    store = open_redis(shared_redis.url)
    yield store
    store.close()


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[RedisCluster]:
    with start_redis_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster_counters(shared_cluster: RedisCluster) -> Iterator[RedisCounters]:
    """Counters in an empty Cluster."""
    for server in (shared_cluster.first, shared_cluster.second):
        shared_cluster.clients[server].flushall()
    store = open_redis(shared_cluster.url)
    yield store
    store.close()


@pytest.fixture(params=["lmdb", "redis", "cluster"])
def counters(request: pytest.FixtureRequest) -> Counters:
    store: Counters = request.getfixturevalue(f"{request.param}_counters")
    return store


@pytest.fixture
def address(counters: Counters, request: pytest.FixtureRequest, lmdb_path: Path) -> str:
    """Where another process finds the same store: a path or a URL."""
    if isinstance(counters, LmdbCounters):
        return str(lmdb_path)
    if "cluster_counters" in request.fixturenames:
        cluster: RedisCluster = request.getfixturevalue("shared_cluster")
        return cluster.url
    server: RedisServer = request.getfixturevalue("shared_redis")
    return server.url


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def primary(server: RedisServer) -> CountedRedis:
    return CountedRedis(server.url, installation)


@pytest.fixture
def store(primary: CountedRedis, lmdb_path: Path, clock: Clock) -> Iterator[FailoverCounters]:
    store = FailoverCounters(primary, LmdbCounters(lmdb_path), clock, beside=lambda work: work())
    yield store
    store.close()


@pytest.fixture
def patient(server: RedisServer, lmdb_path: Path) -> Iterator[FailoverCounters]:
    """Counters whose threads of the pool wait as long as a busy machine needs.

    The polling thread has one connection, and the month has one request.
    """
    store = FailoverCounters(open_redis(server.url), LmdbCounters(lmdb_path))
    while not is_connected_there(store):
        store.close()
        store = FailoverCounters(open_redis(server.url), LmdbCounters(lmdb_path))
    assert admitted(store) == 1
    yield store
    store.close()
