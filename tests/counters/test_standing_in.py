"""The LMDB store's turns of standing in for Redis."""

from pathlib import Path

from ragauth.counters import LmdbCounters, MeterRow, UsageRow, Use
from tests.counters.questions import (
    ACCOUNT,
    KEY,
    MONTH,
    NOW,
    ask,
    in_period,
    in_window,
    report,
    seed,
    seed_tallies,
)


def test_months_of_an_earlier_turn_are_distrusted_and_usage_stays(
    lmdb_counters: LmdbCounters,
) -> None:
    lmdb_counters.begin_turn(5_000)
    seed(lmdb_counters)
    ask(lmdb_counters)
    lmdb_counters.begin_turn(14_999)
    assert ask(lmdb_counters) is not None
    lmdb_counters.begin_turn(24_999)
    assert ask(lmdb_counters) is None
    assert lmdb_counters.peek(ACCOUNT, 0, MONTH, NOW) is None
    seed(lmdb_counters, base_units=100)
    answer = ask(lmdb_counters)
    assert answer is not None
    assert (answer.minute_used, answer.month_used) == (3, 101)
    assert [(row.key, row.requests) for row in lmdb_counters.changed_usage(9)] == [(KEY, 3)]


def test_the_turn_is_that_of_the_whole_host(lmdb_counters: LmdbCounters, lmdb_path: Path) -> None:
    lmdb_counters.begin_turn(5_000)
    seed(lmdb_counters)
    lmdb_counters.close()
    other = LmdbCounters(lmdb_path)
    other.begin_turn(6_000)
    assert ask(other) is not None
    other.close()


def test_what_another_store_takes_over_is_asked_for_again(lmdb_counters: LmdbCounters) -> None:
    """Also by a process that goes on in the same turn, and reports without asking for a month."""
    total, window = in_period(1, period=0), in_window(1)
    lmdb_counters.begin_turn(5_000)
    seed(lmdb_counters)
    seed_tallies(lmdb_counters, total)
    ask(lmdb_counters, tallies=(total, window), uses=(Use(b"tokens", 1),))
    rows = lmdb_counters.take_over_from(ACCOUNT)
    assert [type(row) for row in rows] == [UsageRow, MeterRow]
    assert ask(lmdb_counters) is None
    assert report(lmdb_counters, b"e1", 1, total) is None
    seed_tallies(lmdb_counters, total, base=7)
    counted = report(lmdb_counters, b"e1", 1, total, window)
    assert counted is not None
    assert [count.used for count in counted.counts] == [8, 2]
