"""Whose limits are looked at: far below them once a minute, near them at each turn."""

from collections.abc import Iterator

import pytest

from ragauth import clock
from ragauth.counters import ChangedRow, MeterRow, UsageRow
from ragauth.services.accounts import limit_looks
from ragauth.services.accounts.limit_looks import Looks

ONE, OTHER = (b"1" * 16, 0), (b"2" * 16, 1)


class Seconds:
    """A clock that stands until it is moved."""

    now = 1_000.0


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seconds]:
    seconds = Seconds()
    monkeypatch.setattr(clock, "monotonic", lambda: seconds.now)
    return seconds


def requests(counted: tuple[bytes, int], units: int, key: bytes = b"k") -> ChangedRow:
    return UsageRow(*_names(counted, key), units, units, 0, "a store")


def tokens(counted: tuple[bytes, int], amount: int, key: bytes = b"k") -> ChangedRow:
    return MeterRow(*_names(counted, key), "tokens", amount, 0, "a store")


def _names(counted: tuple[bytes, int], key: bytes) -> tuple[bytes, bytes, int, int]:
    return counted[0], key * 16, counted[1], 20_270_210


class TestLooks:
    def test_who_is_not_known_is_looked_at(self, seconds: Seconds) -> None:
        assert Looks().find_due([requests(ONE, 1), tokens(OTHER, 1)]) == {ONE, OTHER}

    def test_far_below_it_is_left_out_and_looked_at_a_minute_later(self, seconds: Seconds) -> None:
        looks = Looks()
        looks.note([ONE], {ONE: {"requests": 100}})
        assert looks.find_due([requests(ONE, 24)]) == set()
        assert looks.find_left_out() == {ONE}
        seconds.now += 59
        assert looks.find_due([]) == set()
        seconds.now += 1
        assert looks.find_due([]) == {ONE}
        # Until it was looked at: a failure changes nothing.
        assert looks.find_due([]) == {ONE}
        looks.note([ONE], {ONE: {"requests": 76}})
        assert (looks.find_due([]), looks.find_left_out()) == (set(), set())

    @pytest.mark.parametrize(
        "rows",
        [
            [tokens(ONE, 25)],
            [tokens(ONE, 13), tokens(ONE, 12, b"l")],
            [requests(ONE, 1), tokens(ONE, 25)],
        ],
    )
    def test_who_may_be_near_a_limit_is_looked_at(
        self, seconds: Seconds, rows: list[ChangedRow]
    ) -> None:
        """Others may have saved three times as much as these rows tell."""
        looks = Looks()
        looks.note([ONE], {ONE: {"requests": 100, "tokens": 100}})
        assert looks.find_due(rows) == {ONE}

    def test_a_meter_of_which_nothing_more_is_told_is_no_reason(self, seconds: Seconds) -> None:
        looks = Looks()
        looks.note([ONE], {ONE: {"requests": 100}})
        assert looks.find_due([tokens(ONE, 10**12), requests(ONE, 1)]) == set()

    def test_an_old_look_counts_for_nothing_and_is_forgotten(self, seconds: Seconds) -> None:
        looks = Looks()
        looks.note([ONE, OTHER], {ONE: {"requests": 100}, OTHER: {"requests": 100}})
        seconds.now += 60
        assert looks.find_due([]) == set()
        assert looks.find_due([requests(ONE, 1)]) == {ONE}

    def test_a_bounded_number_is_remembered(
        self, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limit_looks, "_MOST_REMEMBERED", 1)
        looks = Looks()
        left = {ONE: {"requests": 100}, OTHER: {"requests": 100}}
        looks.note([ONE, OTHER], left)
        rows = [requests(ONE, 1), requests(OTHER, 1)]
        assert looks.find_due(rows) == {OTHER}
        looks.note([ONE], left)
        assert looks.find_due(rows) == {OTHER}
