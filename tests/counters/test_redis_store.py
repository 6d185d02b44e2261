"""What only Redis can do to us: forget everything, go back in time, refuse, hang."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from marshmallow import ValidationError

from ragauth.counters import CountersUnavailable
from ragauth.counters.failover import FailoverCounters
from ragauth.counters.interface import NewerCounters
from ragauth.counters.lmdb_store import LmdbCounters
from ragauth.counters.redis_store import RedisCounters
from tests.counters.questions import ACCOUNT, KEY, MONTH, NOW, OURS, ask, installation, seed
from tests.counters.redis_rights import use_limits
from tests.servers.redis import RedisServer


def test_every_key_is_ours_and_has_an_end(redis_counters: RedisCounters, redis_client: Any) -> None:
    seed(redis_counters)
    ask(redis_counters)
    redis_counters.hit(b"login", 1_000, NOW)
    redis_counters.acquire_lease(b"flush", b"a", 1_000, NOW)
    use_limits(redis_counters)
    redis_counters.changed_usage(10)
    redis_counters.resume("an outage")
    names = list(redis_client.scan_iter())
    assert len(names) >= 15
    for name in names:
        assert name.startswith(OURS.encode())
        assert redis_client.pttl(name) > 0


def test_a_flushed_redis_is_a_new_source_and_asks_for_the_months(
    redis_counters: RedisCounters, redis_client: Any
) -> None:
    seed(redis_counters)
    ask(redis_counters)
    [before] = redis_counters.changed_usage(10)
    redis_client.flushall()
    assert ask(redis_counters) is None
    seed(redis_counters, base_units=500)
    ask(redis_counters)
    [after] = redis_counters.changed_usage(10)
    assert after.source_id not in ("", before.source_id)
    assert (after.key, after.requests) == (KEY, 1)
    assert redis_counters.source_id == after.source_id


def test_saving_rows_of_before_the_flush_leaves_the_new_ones_marked(
    redis_counters: RedisCounters, redis_client: Any
) -> None:
    seed(redis_counters)
    ask(redis_counters)
    rows = redis_counters.changed_usage(10)
    redis_client.flushall()
    seed(redis_counters)
    ask(redis_counters)
    redis_counters.usage_saved(rows)
    assert len(redis_counters.changed_usage(10)) == 1


def test_a_lost_source_id_does_not_mix_old_totals_with_new_ones(
    redis_counters: RedisCounters, redis_client: Any
) -> None:
    seed(redis_counters)
    ask(redis_counters)
    redis_client.delete(f"{OURS}source")
    seed(redis_counters, base_units=7)
    ask(redis_counters)
    rows = redis_counters.changed_usage(10)
    assert [row.requests for row in rows] == [1, 1]
    assert len({row.source_id for row in rows}) == 2
    redis_counters.usage_saved(rows)
    assert redis_counters.changed_usage(10) == []


@pytest.mark.parametrize(
    "read",
    [lambda store: store.changed_usage(10), lambda store: store.changed_usage_of(ACCOUNT)],
    ids=["all", "of an account"],
)
def test_a_marked_row_that_is_gone_is_skipped_and_forgotten(
    redis_counters: RedisCounters, redis_client: Any, read: Callable[[RedisCounters], object]
) -> None:
    seed(redis_counters)
    ask(redis_counters)
    redis_client.delete(*redis_client.scan_iter(f"{OURS}usage:*"))
    assert redis_counters.unsaved_use(ACCOUNT, 0, KEY) is None
    assert read(redis_counters) == []
    assert redis_client.zcard(f"{OURS}changed") == 0
    assert redis_client.zcard(f"{OURS}changed_by") == 0


def test_forgotten_scripts_are_sent_again(redis_counters: RedisCounters, redis_client: Any) -> None:
    seed(redis_counters)
    redis_client.script_flush()
    assert ask(redis_counters) is not None


def test_a_server_started_again_is_a_new_source_although_it_kept_its_data(
    tmp_path: Path,
) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        store = RedisCounters(server.url, installation)
        seed(store)
        ask(store)
        [before] = store.changed_usage(10)
        server.stop()
        with pytest.raises(CountersUnavailable):
            ask(store)
        server.start()
        assert store.changed_usage(10) == [before]
        assert store.source_id != before.source_id
        assert ask(store) is None
        store.close()
    finally:
        server.stop()


def test_after_standing_in_months_are_asked_for_and_usage_stays(
    redis_counters: RedisCounters,
) -> None:
    seed(redis_counters)
    ask(redis_counters)
    redis_counters.resume("an outage")
    assert ask(redis_counters) is None
    seed(redis_counters, base_units=30)
    redis_counters.resume("an outage")
    answer = ask(redis_counters)
    assert answer is not None
    assert answer.month_used == 31
    assert [row.requests for row in redis_counters.changed_usage(10)] == [1, 1]


def test_redis_is_tried_again_over_a_new_connection(
    shared_redis: RedisServer, redis_client: Any
) -> None:
    """Its name may lead to another server meanwhile, and the old one may answer still."""
    store = RedisCounters(f"{shared_redis.url}?client_name=ours", installation)

    def connections() -> set[str]:
        return {each["id"] for each in redis_client.client_list() if each["name"] == "ours"}

    store.ping()
    before = connections()
    store.resume("an outage")
    assert before
    assert not before & connections()
    store.close()


def test_months_before_the_previous_are_dropped_when_one_begins(
    redis_counters: RedisCounters, redis_client: Any
) -> None:
    for month in (202611, 202612, 202701):
        redis_counters.seed_month(ACCOUNT, 0, month, 5)
    [name] = redis_client.scan_iter(f"{OURS}account:*")
    assert set(redis_client.hkeys(name)) == {b"202612", b"202701"}


def test_a_command_that_redis_refuses_makes_it_unavailable(
    redis_counters: RedisCounters, redis_client: Any
) -> None:
    redis_client.set(f"{OURS}account:{redis_counters.source_id}:{ACCOUNT.hex()}:0", "no hash")
    with pytest.raises(CountersUnavailable, match="WRONGTYPE"):
        ask(redis_counters)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1",
        "unix:///nowhere/redis.sock",
        "redis+cluster://127.0.0.1:1",
        "redis+sentinel://127.0.0.1:1/x",
    ],
)
def test_nobody_there_is_unavailable(url: str) -> None:
    store = RedisCounters(url, installation)
    with pytest.raises(CountersUnavailable):
        store.ping()
    with pytest.raises(CountersUnavailable):
        ask(store)
    with pytest.raises(CountersUnavailable):
        store.peek(ACCOUNT, 0, MONTH, NOW)


def test_a_server_that_never_answers_is_not_waited_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = RedisCounters(f"redis://127.0.0.1:{silent.getsockname()[1]}", installation)
        with pytest.raises(CountersUnavailable, match="Timeout"):
            store.ping()
        store.close()


def test_a_malformed_url_is_a_mistake_of_the_operator() -> None:
    with pytest.raises(ValidationError, match="must start with redis://"):
        RedisCounters("http://example.test", installation)


def test_two_installations_on_one_redis_do_not_meet(
    redis_counters: RedisCounters, shared_redis: RedisServer
) -> None:
    other = RedisCounters(shared_redis.url, lambda: "others")
    for store in (redis_counters, other):
        seed(store)
        answer = ask(store)
        assert answer is not None
        assert (answer.minute_used, answer.month_used) == (1, 1)
        assert store.hit(b"login", 1_000, NOW).count == 1
        assert store.acquire_lease(b"flush", store.source_id.encode(), 1_000, NOW)
    assert redis_counters.source_id != other.source_id
    redis_counters.clear_window(b"login")
    assert other.read_window(b"login", 1_000, NOW).count == 1
    redis_counters.usage_saved(redis_counters.changed_usage(10))
    assert len(other.changed_usage(10)) == 1
    other.close()


def test_nothing_is_counted_before_it_is_known_whose_it_is(
    shared_redis: RedisServer, redis_client: Any
) -> None:
    def away() -> str:
        raise CountersUnavailable("the database is away")

    store = RedisCounters(shared_redis.url, away)
    for question in (lambda: seed(store), lambda: ask(store), lambda: store.clear_window(b"x")):
        with pytest.raises(CountersUnavailable, match="database"):
            question()
    assert redis_client.dbsize() == 0
    store.close()


def test_where_a_newer_version_counts_this_one_touches_nothing(
    redis_counters: RedisCounters, redis_client: Any, lmdb_counters: LmdbCounters
) -> None:
    """Neither there nor, with limits of its own, in the host's file."""
    seed(redis_counters)
    redis_client.set(f"{OURS}layout", 2)
    before = sorted(redis_client.scan_iter())
    counters = FailoverCounters(redis_counters, lmdb_counters)
    for use in (
        lambda: ask(counters),
        lambda: counters.hit(b"login", 1_000, NOW),
        lambda: redis_counters.acquire_lease(b"flush", b"a", 1_000, NOW),
        lambda: redis_counters.changed_usage(10),
        lambda: redis_counters.resume("an outage"),
    ):
        with pytest.raises(NewerCounters, match="a newer version of ragauth counts here"):
            use()
    assert sorted(redis_client.scan_iter()) == before


def test_the_run_is_asked_once_for_each_connection(
    redis_counters: RedisCounters, redis_client: Any
) -> None:
    """Not by each question, and again by a connection that was made since."""
    seed(redis_counters)
    redis_client.config_resetstat()
    for _ in range(5):
        assert ask(redis_counters) is not None
    assert "cmdstat_info" not in redis_client.info("commandstats")
    redis_counters.start_anew()
    redis_client.config_resetstat()
    assert ask(redis_counters) is not None
    assert redis_client.info("commandstats")["cmdstat_info"]["calls"] == 1
