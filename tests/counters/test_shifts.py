"""A count is changed in one step, while others count."""

import threading

import pytest

from ragauth.counters import Counters, Shift, Shifted
from tests.counters.questions import ACCOUNT, NOW, ask, in_period, seed, seed_tallies

TOTAL = in_period(1, size=10_000, period=0)


def shift(store: Counters, by: int, at_least: int = 0, at_most: int = 10**12) -> Shifted | None:
    return store.shift_tally(ACCOUNT, 0, TOTAL, Shift(by, at_least, at_most), NOW)


@pytest.fixture(autouse=True)
def seeded(counters: Counters) -> None:
    seed(counters)


def test_it_is_added_and_kept_within_bounds(counters: Counters) -> None:
    seed_tallies(counters, TOTAL, base=7)
    assert shift(counters, 5) == (7, 12)
    assert shift(counters, -20) == (12, 0)
    assert shift(counters, 0, 42, 42) == (0, 42)
    assert shift(counters, 10**12) == (42, 10**12)
    answer = ask(counters, tallies=(TOTAL._replace(size=10**12, amount=0),))
    assert answer is not None
    assert answer.counts[0].used == 10**12


def test_one_that_is_not_known_is_asked_for(counters: Counters) -> None:
    assert shift(counters, 5) is None
    seed_tallies(counters, TOTAL)
    assert counters.shift_tally(ACCOUNT, 1, TOTAL, Shift(1, 0, 9), NOW) is None
    day = in_period()
    seed_tallies(counters, day)
    assert counters.shift_tally(ACCOUNT, 0, day, Shift(1, 0, 9), NOW) == (0, 1)
    other_day = day._replace(period=day.period + 1)
    assert counters.shift_tally(ACCOUNT, 0, other_day, Shift(1, 0, 9), NOW) is None


def test_none_is_lost_while_others_count(counters: Counters) -> None:
    seed_tallies(counters, TOTAL)

    def count() -> None:
        for _ in range(50):
            ask(counters, minute_limit=10**6, month_limit=10**6, tallies=(TOTAL,))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        shift(counters, 10)
    for thread in threads:
        thread.join()
    assert shift(counters, 0) == (700, 700)
