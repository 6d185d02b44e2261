"""General windows, leases and what is dropped."""

import pytest

from ragauth.counters import Admission, Counters, LmdbCounters, Window
from tests.cases import for_each
from tests.counters.questions import ACCOUNT, DAY, MONTH, NOW, ask, seed
from tests.counters.stepped_time import SteppedTime, records

FIVE_MINUTES = 300_000
HOUR = 3_600_000
DAY_MS = 86_400_000
STEPS = (HOUR, DAY_MS, 365 * DAY_MS)


class TestWindows:
    def test_a_window_starts_at_its_first_hit_and_lasts_to_the_millisecond(
        self, counters: Counters
    ) -> None:
        ends = NOW + FIVE_MINUTES
        assert counters.hit(b"login", FIVE_MINUTES, NOW) == Window(1, ends)
        assert counters.hit(b"login", FIVE_MINUTES, ends - 1, 3) == Window(4, ends)
        assert counters.hit(b"login", FIVE_MINUTES, ends) == Window(1, ends + FIVE_MINUTES)

    def test_reading_does_not_count(self, counters: Counters) -> None:
        untouched = Window(0, NOW + 7 + FIVE_MINUTES)
        assert counters.read_window(b"login", FIVE_MINUTES, NOW + 7) == untouched
        counters.hit(b"login", FIVE_MINUTES, NOW, 2)
        for _ in range(2):
            read = counters.read_window(b"login", FIVE_MINUTES, NOW + 7)
            assert read == Window(2, NOW + FIVE_MINUTES)
        over = NOW + FIVE_MINUTES
        assert counters.read_window(b"login", FIVE_MINUTES, over).count == 0

    def test_what_was_added_can_be_given_back_but_never_more(self, counters: Counters) -> None:
        ends = NOW + FIVE_MINUTES
        counters.hit(b"login", FIVE_MINUTES, NOW, 2)
        assert counters.hit(b"login", FIVE_MINUTES, NOW + 7, -1) == Window(1, ends)
        assert counters.read_window(b"login", FIVE_MINUTES, NOW + 8) == Window(1, ends)
        assert counters.hit(b"login", FIVE_MINUTES, NOW + 9, -5) == Window(0, ends)
        assert counters.hit(b"login", FIVE_MINUTES, NOW + 9) == Window(1, ends)

    def test_clearing_forgets_one_window(self, counters: Counters) -> None:
        counters.hit(b"one", 1_000, NOW)
        counters.hit(b"two", 1_000, NOW)
        counters.clear_window(b"one")
        counters.clear_window(b"never hit")
        assert counters.read_window(b"one", 1_000, NOW).count == 0
        assert counters.read_window(b"two", 1_000, NOW).count == 1

    @for_each("name", [b"", b"\0", b"x" * 64, b"x" * 65, b"x" * 10_000, b"\xff\n:"])
    def test_a_bucket_may_have_any_name(self, counters: Counters, name: bytes) -> None:
        counters.hit(name, 1_000, NOW)
        assert counters.hit(name, 1_000, NOW).count == 2
        assert counters.hit(name + b"'", 1_000, NOW).count == 1
        counters.clear_window(name)
        assert counters.read_window(name, 1_000, NOW).count == 0

    @pytest.mark.parametrize("step_ms", STEPS)
    def test_a_clock_that_is_stepped_back_neither_prolongs_nor_forgets_it(
        self, counters: Counters, step_ms: int
    ) -> None:
        """S39: it keeps its count, and ends one length from when that is first noticed."""
        counters.hit(b"login", HOUR, NOW + step_ms, 3)
        ends = NOW + HOUR
        assert counters.read_window(b"login", HOUR, NOW) == Window(3, ends)
        # Reading alone settles it: a flood of what is refused does not move its end.
        assert counters.read_window(b"login", HOUR, NOW + 1_000) == Window(3, ends)
        assert counters.hit(b"login", HOUR, NOW + HOUR - 1) == Window(4, ends)
        assert counters.hit(b"login", HOUR, ends) == Window(1, ends + HOUR)

    @pytest.mark.parametrize("step_ms", STEPS)
    def test_a_clock_that_is_stepped_on_ends_it(self, counters: Counters, step_ms: int) -> None:
        counters.hit(b"login", HOUR, NOW, 3)
        then = NOW + step_ms
        assert counters.hit(b"login", HOUR, then) == Window(1, then + HOUR)

    def test_hosts_whose_clocks_differ_by_seconds_share_it(self, counters: Counters) -> None:
        counters.hit(b"login", HOUR, NOW + 9_000)
        assert counters.hit(b"login", HOUR, NOW) == Window(2, NOW + 9_000 + HOUR)


class TestLeases:
    def test_a_lease_has_one_holder_until_it_runs_out(self, counters: Counters) -> None:
        assert counters.acquire_lease(b"flush", b"a", 5_000, NOW)
        assert not counters.acquire_lease(b"flush", b"b", 5_000, NOW + 4_999)
        assert counters.acquire_lease(b"flush", b"b", 5_000, NOW + 5_000)
        assert not counters.acquire_lease(b"flush", b"a", 5_000, NOW + 5_001)

    def test_its_holder_may_extend_it(self, counters: Counters) -> None:
        assert counters.acquire_lease(b"flush", b"a", 5_000, NOW)
        assert counters.acquire_lease(b"flush", b"a", 5_000, NOW + 4_000)
        assert not counters.acquire_lease(b"flush", b"b", 5_000, NOW + 8_999)

    def test_leases_of_other_names_are_free(self, counters: Counters) -> None:
        assert counters.acquire_lease(b"flush", b"a", 5_000, NOW)
        assert counters.acquire_lease(b"flush" * 50, b"b", 5_000, NOW)

    def test_a_clock_that_was_wrong_by_years_does_not_keep_the_lease(
        self, counters: Counters
    ) -> None:
        assert counters.acquire_lease(b"flush", b"a", 5_000, NOW + 10**11)
        assert counters.acquire_lease(b"flush", b"b", 5_000, NOW)


class TestPrune:
    def test_what_is_in_use_stays(self, counters: Counters) -> None:
        seed(counters)
        ask(counters)
        counters.seed_month(b"p" * 16, 0, MONTH - 1, 5)
        counters.hit(b"login", 1_000, NOW)
        counters.acquire_lease(b"flush", b"a", 1_000, NOW)
        assert not counters.prune(NOW + 999)
        assert ask(counters, now_ms=NOW + 999) is not None
        assert counters.peek(b"p" * 16, 0, MONTH - 1, NOW) is not None
        assert counters.read_window(b"login", 1_000, NOW + 999).count == 1
        assert not counters.acquire_lease(b"flush", b"b", 1_000, NOW + 999)
        assert [row.requests for row in counters.changed_usage(10)] == [2]

    def test_what_is_over_goes(self, lmdb_counters: LmdbCounters, time: SteppedTime) -> None:
        lmdb_counters.seed_month(b"p" * 16, 0, MONTH - 2, 5)
        lmdb_counters.hit(b"login", 1_000, NOW)
        lmdb_counters.acquire_lease(b"flush", b"a", 1_000, NOW)
        assert records(lmdb_counters) == 4
        time.shift(1_000)
        lmdb_counters.prune(time.now)
        assert records(lmdb_counters) == 3  # the source id, the clock, a month until tomorrow
        time.shift(DAY_MS)
        lmdb_counters.prune(time.now)
        assert records(lmdb_counters) == 2

    def test_usage_goes_when_it_is_old_and_saved(
        self, lmdb_counters: LmdbCounters, time: SteppedTime
    ) -> None:
        lmdb_counters.prune(time.now)
        seed(lmdb_counters)
        ask(lmdb_counters)
        ask(lmdb_counters, key=b"k" * 16)
        rows = lmdb_counters.changed_usage(10)
        lmdb_counters.usage_saved(rows[:1])
        before = records(lmdb_counters)
        time.shift(7 * DAY_MS)
        lmdb_counters.prune(time.now, keep_days=7)
        assert records(lmdb_counters) == before
        time.shift(DAY_MS)
        lmdb_counters.prune(time.now, keep_days=7)
        assert records(lmdb_counters) == before - 1
        assert lmdb_counters.changed_usage(10) == rows[1:]
        assert rows[0].day == DAY

    def test_a_clock_that_was_wrong_by_a_year_forgets_no_usage(
        self, lmdb_counters: LmdbCounters, time: SteppedTime
    ) -> None:
        """S39: totals only grow: who counted on at nothing would not be saved."""
        lmdb_counters.prune(time.now)
        time.shift(2 * DAY_MS)
        lmdb_counters.prune(time.now)
        seed(lmdb_counters)
        for _ in range(3):
            ask(lmdb_counters)
        lmdb_counters.usage_saved(lmdb_counters.changed_usage(10))
        time.step(365 * DAY_MS)
        for _ in range(20):
            time.shift(3_600_000)
            lmdb_counters.prune(time.now)
        time.step(-365 * DAY_MS)
        lmdb_counters.prune(time.now)
        assert ask(lmdb_counters) == Admission(None, 4, NOW + 60_000, 4)
        assert [row.requests for row in lmdb_counters.changed_usage(10)] == [4]

    def test_one_call_does_a_bounded_amount_of_work(self, lmdb_counters: LmdbCounters) -> None:
        for n in range(550):
            lmdb_counters.hit(b"%d" % n, 1_000, NOW)
        lmdb_counters.seed_month(ACCOUNT, 0, MONTH, 0)
        left = []
        while lmdb_counters.prune(NOW + 1_000):
            left.append(records(lmdb_counters))
        assert len(left) == 2
        assert left[0] > left[1] > 50
        assert records(lmdb_counters) == 3
