"""Buckets: what does not fit is refused and not counted, exactly, in windows of any length."""

import pytest
import redis

from ragauth.counters import Counters, LmdbCounters, Taken, Window
from ragauth.counters.failover import FailoverCounters
from ragauth.counters.interface import SKEW_MS
from ragauth.counters.redis_store import RedisCounters
from tests.counters.questions import NOW
from tests.counters.test_processes import both, run_module
from tests.servers.redis import RedisServer

THIRTY_DAYS = 30 * 86_400_000


@pytest.mark.parametrize("length_ms", [100, 60_000, THIRTY_DAYS])
def test_a_refusal_counts_nothing(counters: Counters, length_ms: int) -> None:
    ends = NOW + length_ms
    assert counters.take(b"one", length_ms, NOW, 2, 3) == Taken(True, Window(2, ends))
    assert counters.take(b"one", length_ms, NOW + 1, 2, 3) == Taken(False, Window(2, ends))
    assert counters.take(b"one", length_ms, ends - 1, 1, 3) == Taken(True, Window(3, ends))
    assert counters.take(b"one", length_ms, ends - 1, 1, 3) == Taken(False, Window(3, ends))
    assert counters.take(b"two", length_ms, NOW, 1, 3).is_taken
    anew = Taken(True, Window(1, ends + length_ms))
    assert counters.take(b"one", length_ms, ends, 1, 3) == anew


def test_an_amount_of_nothing_opens_no_window(counters: Counters) -> None:
    assert counters.take(b"one", 1_000, NOW, 0, 0) == Taken(True, Window(0, NOW + 1_000))
    assert counters.take(b"one", 1_000, NOW + 10, 1, 5) == Taken(True, Window(1, NOW + 1_010))
    assert counters.take(b"one", 1_000, NOW + 20, 0, 1).is_taken
    # Another size of the same bucket: more was counted already.
    assert not counters.take(b"one", 1_000, NOW + 20, 0, 0).is_taken


def test_what_never_fits_is_refused(counters: Counters) -> None:
    assert counters.take(b"one", 1_000, NOW, 10**12, 10**12 - 1) == Taken(
        False, Window(0, NOW + 1_000)
    )
    assert counters.take(b"one", 1_000, NOW, 10**12, 10**12).window.count == 10**12


def test_a_clock_that_is_stepped_back_does_not_prolong_it(counters: Counters) -> None:
    counters.take(b"one", 1_000, NOW + THIRTY_DAYS, 3, 3)
    refused = counters.take(b"one", 1_000, NOW, 1, 3)
    assert refused == Taken(False, Window(3, NOW + 1_000))
    # Refusals alone do not put its end off.
    assert counters.take(b"one", 1_000, NOW + 999, 1, 3).window.resets_at_ms == NOW + 1_000
    assert counters.take(b"one", 1_000, NOW + 1_000, 1, 3).is_taken


@both
def test_four_processes_at_once_take_no_more_than_fits(counters: Counters, address: str) -> None:
    """Each takes 2 of 999, so 499 times."""
    taken = run_module("tests.counters.take_many", address, 4, 8, 25, 999)
    assert len(taken) == 4
    assert sum(map(int, taken)) == 499
    assert counters.take(b"bucket", 60_000, NOW, 1, 999).is_taken
    assert not counters.take(b"bucket", 60_000, NOW, 1, 999).is_taken


def test_one_that_is_over_is_dropped_from_the_file(lmdb_counters: LmdbCounters) -> None:
    lmdb_counters.take(b"one", 1_000, NOW, 1, 5)
    before = len(records_of(lmdb_counters))
    while lmdb_counters.prune(NOW + 1_000):
        pass
    assert before == len(records_of(lmdb_counters)) + 1 == 1


def test_one_that_is_over_ends_by_itself_in_redis(
    redis_counters: RedisCounters, redis_client: redis.Redis
) -> None:
    redis_counters.take(b"one", 100, NOW, 1, 5)
    [name] = redis_client.keys("*:window:*")
    assert 0 < redis_client.pttl(name) <= 100 + SKEW_MS


def test_it_goes_on_without_redis(store: FailoverCounters, server: RedisServer) -> None:
    assert store.take(b"one", 1_000, NOW, 1, 1).is_taken
    assert not store.take(b"one", 1_000, NOW, 1, 1).is_taken
    server.stop()
    assert store.take(b"one", 1_000, NOW, 1, 1).is_taken
    assert not store.take(b"one", 1_000, NOW, 1, 1).is_taken


def records_of(store: LmdbCounters) -> list[bytes]:
    keys: list[bytes] = store._file.transact(
        lambda txn: [key for key, _ in txn.cursor() if key.startswith(b"w")]
    )
    return keys
