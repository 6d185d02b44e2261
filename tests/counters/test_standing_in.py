"""The LMDB store's turns of standing in for Redis."""

from pathlib import Path

from ragauth.counters import LmdbCounters
from tests.counters.questions import ACCOUNT, KEY, MONTH, NOW, ask, seed


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
