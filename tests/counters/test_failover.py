"""Redis goes and comes back; limits go on, and no usage is lost or counted twice."""

from pathlib import Path

import pytest

from ragauth.counters import CountersUnavailable, LmdbCounters, Window, open_counters
from ragauth.counters.failover import FailoverCounters
from ragauth.counters.redis_store import RedisCounters
from tests.counters.failover_support import Clock, CountedRedis, admitted
from tests.counters.questions import ACCOUNT, KEY, MONTH, NOW, ask, installation, seed
from tests.servers.redis import RedisServer


def test_limits_go_on_without_redis(store: FailoverCounters, server: RedisServer) -> None:
    assert admitted(store) == 1
    server.stop()
    assert admitted(store, base_units=1) == 2
    refused = ask(store, minute_limit=1)
    assert refused is not None
    assert refused.refused_by == "minute"
    assert store.hit(b"login", 1_000, NOW) == Window(1, NOW + 1_000)
    assert store.read_window(b"login", 1_000, NOW).count == 1
    store.clear_window(b"login")
    assert store.read_window(b"login", 1_000, NOW).count == 0
    peek = store.peek(ACCOUNT, 0, MONTH, NOW)
    assert peek is not None
    assert peek.month_used == 2


def test_redis_is_tried_once_in_a_second(
    store: FailoverCounters, primary: CountedRedis, server: RedisServer, clock: Clock
) -> None:
    admitted(store)
    server.stop()
    admitted(store)
    calls = primary.calls
    for _ in range(50):
        admitted(store)
    clock.seconds += 0.99
    admitted(store)
    assert primary.calls == calls
    clock.seconds += 0.01
    for _ in range(50):
        admitted(store)
    assert primary.calls == calls + 1


def test_redis_is_used_again_when_it_is_back(
    store: FailoverCounters, server: RedisServer, clock: Clock
) -> None:
    admitted(store)
    server.stop()
    admitted(store)
    server.start()
    admitted(store)
    with pytest.raises(CountersUnavailable):
        store.ping()
    clock.seconds += 1
    store.ping()
    other = RedisCounters(server.url, installation)
    assert admitted(store, base_units=2) == 3
    assert ask(other) is not None
    other.close()


def test_usage_of_both_stores_is_saved_under_its_own_source(
    store: FailoverCounters, server: RedisServer, clock: Clock
) -> None:
    for _ in range(3):
        admitted(store)
    server.stop()
    for _ in range(2):
        admitted(store, base_units=3)
    [local] = store.changed_usage(10)
    assert (local.key, local.requests) == (KEY, 2)
    server.start()
    clock.seconds += 1
    rows = store.changed_usage(10)
    assert [row.requests for row in rows] == [2, 3]
    assert rows[0] == local
    assert len({row.source_id for row in rows}) == 2
    store.usage_saved(rows)
    assert store.changed_usage(10) == []


def test_rows_of_redis_stay_marked_while_it_is_away(
    store: FailoverCounters, server: RedisServer, clock: Clock
) -> None:
    admitted(store)
    rows = store.changed_usage(10)
    server.stop()
    store.usage_saved(rows)
    server.start()
    clock.seconds += 1
    assert store.changed_usage(10) == rows


def test_a_second_outage_does_not_trust_the_months_of_the_first(
    store: FailoverCounters, server: RedisServer, clock: Clock
) -> None:
    server.stop()
    assert admitted(store) == 1
    server.start()
    clock.seconds += 60
    assert admitted(store, base_units=900) == 901
    server.stop()
    assert admitted(store, base_units=950) == 951


def test_redis_does_not_trust_its_own_months_after_an_outage(
    store: FailoverCounters, primary: CountedRedis, clock: Clock
) -> None:
    admitted(store)
    store._leave_primary(CountersUnavailable("a cable was pulled"))
    assert admitted(store, base_units=1) == 2
    clock.seconds += 1
    assert admitted(store, base_units=700) == 701


def test_what_another_process_counted_alone_is_in_the_month_that_begins_in_redis(
    store: FailoverCounters, server: RedisServer, clock: Clock, lmdb_path: Path
) -> None:
    """And that process, which still stands in, counts no more beside it."""
    late = FailoverCounters(
        RedisCounters(server.url, installation),
        LmdbCounters(lmdb_path),
        Clock(),
        beside=lambda work: work(),
    )
    for process in (store, late):
        process._leave_primary(CountersUnavailable("a cable was pulled"))
        admitted(process)
        process.close()
    clock.seconds += 1
    [unsaved] = store.usage_to_seed(ACCOUNT)
    assert admitted(store, base_units=unsaved.units) == 3
    store.close()
    assert admitted(late, base_units=900) == 4
    late.ping()
    late.close()


def test_what_both_stores_counted_is_saved_before_counting_goes_on_in_redis(
    primary: CountedRedis, lmdb_path: Path, clock: Clock
) -> None:
    saved: list[int] = []
    store = FailoverCounters(
        primary,
        LmdbCounters(lmdb_path),
        clock,
        beside=lambda work: work(),
        save=lambda each: saved.append(sum(row.units for row in each.changed_usage(10))),
    )
    admitted(store)
    store._leave_primary(CountersUnavailable("a cable was pulled"))
    for _ in range(2):
        admitted(store)
    assert saved == []
    clock.seconds += 1
    assert admitted(store, base_units=3) == 4
    assert saved == [2, 1, 2, 1]
    store.close()


def test_an_outage_found_while_saving_is_an_outage_for_all(
    store: FailoverCounters, primary: CountedRedis, server: RedisServer
) -> None:
    admitted(store)
    server.stop()
    assert store.changed_usage(10) == []
    calls = primary.calls
    admitted(store)
    assert primary.calls == calls


def test_the_lease_is_one_of_the_host(store: FailoverCounters, server: RedisServer) -> None:
    assert store.acquire_lease(b"flush", b"a", 1_000, NOW)
    server.stop()
    assert not store.acquire_lease(b"flush", b"b", 1_000, NOW)


def test_an_account_is_forgotten_in_both_stores(
    store: FailoverCounters, server: RedisServer, clock: Clock
) -> None:
    store._leave_primary(CountersUnavailable("a cable was pulled"))
    seed(store)
    clock.seconds += 1
    seed(store)
    store.forget_account(ACCOUNT)
    assert ask(store) is None
    server.stop()
    assert ask(store) is None
    assert not store.prune(NOW)


def test_the_source_is_that_of_the_store_that_answers(
    store: FailoverCounters, server: RedisServer
) -> None:
    of_redis = store.source_id
    server.stop()
    assert store.source_id not in ("", of_redis)


def test_a_ping_may_be_the_first_to_find_redis_gone(
    store: FailoverCounters, primary: CountedRedis, server: RedisServer
) -> None:
    admitted(store)
    server.stop()
    with pytest.raises(CountersUnavailable, match="Redis"):
        store.ping()
    calls = primary.calls
    admitted(store)
    assert primary.calls == calls


def test_one_host_needs_no_redis(lmdb_path: Path) -> None:
    assert isinstance(open_counters(lmdb_path, None, installation), LmdbCounters)
    shared = open_counters(lmdb_path, "redis://127.0.0.1:1", installation)
    assert isinstance(shared, FailoverCounters)
    assert admitted(shared) == 1
    shared.close()
