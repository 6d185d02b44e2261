"""A replica takes over: no usage is lost twice, and no limit begins anew."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis

from ragauth.counters import CountersUnavailable
from ragauth.counters.redis_faults import READ_ONLY
from ragauth.counters.redis_store import RedisCounters
from tests.counters.questions import ACCOUNT, MONTH, ask, installation, seed
from tests.counters.saved_usage import Saved, admit
from tests.servers.redis import RedisServer, client_of, follow, start_redis, start_sentinel
from tests.waiting import wait_until


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    """A primary, and a replica that has all of it."""
    with start_redis() as first, start_redis("--replicaof", "127.0.0.1", str(first.port)) as second:
        follow(first, second)
        yield first, second


class OneAddress:
    """A store whose address leads to another server from one question to the next."""

    def __init__(self, first: RedisServer, second: RedisServer) -> None:
        self.store = RedisCounters(first.url, installation)
        self._second = second

    def move(self) -> None:
        pool = self.store._client._server.connection_pool  # type: ignore[attr-defined]
        pool.reset()
        pool.connection_kwargs["port"] = self._second.port


def test_usage_after_the_last_replicated_write_is_counted_under_another_source(
    pair: tuple[RedisServer, RedisServer],
) -> None:
    """S48: the new primary has lower totals than the database; the store saw no error at all."""
    first, second = pair
    database, address = Saved(), OneAddress(first, second)
    admit(address.store, 3)
    database.save(address.store)
    follow(first, second)
    with client_of(second) as replica:
        replica.replicaof("NO", "ONE")
    admit(address.store, 2)
    database.save(address.store)
    assert database.requests == 5
    address.move()
    admit(address.store, 4, saved=5)
    [row] = database.save(address.store)
    assert row.requests == 4
    assert database.requests == 9
    address.store.close()


def test_a_replicated_row_that_was_not_saved_is_saved_by_the_new_primary(
    pair: tuple[RedisServer, RedisServer],
) -> None:
    """S48."""
    first, second = pair
    database, address = Saved(), OneAddress(first, second)
    admit(address.store, 3)
    follow(first, second)
    with client_of(second) as replica:
        replica.replicaof("NO", "ONE")
    address.move()
    admit(address.store, 1)
    assert sorted(row.requests for row in database.save(address.store)) == [1, 3]
    assert database.requests == 4
    address.store.close()


def test_the_minute_and_the_month_go_on_where_the_replica_has_them(
    pair: tuple[RedisServer, RedisServer],
) -> None:
    """S49: also where two sources begin within the minute."""
    first, second = pair
    address = OneAddress(first, second)
    admit(address.store, 3, saved=10)
    follow(first, second)
    with client_of(second) as replica:
        replica.replicaof("NO", "ONE")
    address.move()
    assert address.store.source_id
    address.store.resume("an outage")
    assert ask(address.store, minute_limit=5) is None
    # The database has not been told of the last three yet.
    seed(address.store, base_units=10)
    answers = [ask(address.store, minute_limit=5) for _ in range(3)]
    assert [answer and answer.refused_by for answer in answers] == [None, None, "minute"]
    assert answers[-1] is not None
    assert (answers[-1].minute_used, answers[-1].month_used) == (5, 15)
    address.store.forget_account(ACCOUNT)
    seed(address.store)
    peek = address.store.peek(ACCOUNT, 0, MONTH, 0)
    assert peek is not None
    assert peek.month_used == 0
    address.store.close()


def test_a_replica_is_not_ready_and_is_not_counted_on(
    pair: tuple[RedisServer, RedisServer],
) -> None:
    store = RedisCounters(pair[1].url, installation)
    questions: list[Callable[[], object]] = [
        store.ping,
        lambda: store.resume("an outage"),
        lambda: seed(store),
    ]
    for question in questions:
        with pytest.raises(CountersUnavailable) as refused:
            question()
        assert refused.value.state == READ_ONLY
    store.close()


def test_the_sentinels_lead_to_the_new_primary_and_never_back_to_the_old() -> None:
    """S48: a primary that was killed comes back as a replica."""
    with ExitStack() as servers:
        first = servers.enter_context(start_redis())
        second = servers.enter_context(start_redis("--replicaof", "127.0.0.1", str(first.port)))
        sentinel = servers.enter_context(start_sentinel(first))
        follow(first, second)
        with redis.Redis(port=sentinel.port) as watch:
            wait_until(lambda: len(watch.sentinel_slaves("tests")) == 1)
        # One that does not run is asked first.
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/tests/0"
        store = RedisCounters(url, installation)
        database = Saved()
        admit(store, 3)
        follow(first, second)
        first.kill()
        with pytest.raises(CountersUnavailable):
            ask(store)

        def is_back() -> bool:
            try:
                store.resume("an outage")
            except CountersUnavailable:
                return False
            return True

        wait_until(is_back)
        admit(store, 2)
        first.start()

        def is_replica() -> bool:
            # A sentinel that makes it one ends its clients' connections.
            try:
                with client_of(first) as old:
                    return bool(old.info("replication")["role"] == "slave")
            except redis.ConnectionError:
                return False

        wait_until(is_replica)
        store.resume("an outage")
        store.ping()
        admit(store, 1)
        database.save(store)
        assert database.requests == 6
        store.close()
