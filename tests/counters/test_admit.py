"""One atomic step decides both limits and counts."""

import threading

import pytest

from ragauth.counters import Admission, Counters, Peek
from tests.counters.questions import ACCOUNT, DAY, KEY, MONTH, NOW, ask, seed


@pytest.fixture(autouse=True)
def seeded(counters: Counters) -> None:
    seed(counters)


class TestCounts:
    def test_an_admission_reports_the_numbers_after_it(self, counters: Counters) -> None:
        assert ask(counters, cost=5) == Admission(None, 1, NOW + 60_000, 5)
        assert ask(counters, cost=7, now_ms=NOW + 10) == Admission(None, 2, NOW + 60_000, 12)

    def test_peek_reads_without_counting(self, counters: Counters) -> None:
        assert counters.peek(ACCOUNT, 0, MONTH, NOW) == Peek(0, NOW + 60_000, 0)
        ask(counters, cost=5)
        for _ in range(2):
            assert counters.peek(ACCOUNT, 0, MONTH, NOW + 9) == Peek(1, NOW + 60_000, 5)

    def test_keys_share_the_limits_of_their_account(self, counters: Counters) -> None:
        ask(counters, minute_limit=1)
        second = ask(counters, minute_limit=1, key=b"k" * 16)
        assert second is not None
        assert second.refused_by == "minute"

    def test_environments_and_accounts_have_limits_of_their_own(self, counters: Counters) -> None:
        other = b"o" * 16
        seed(counters, account=other)
        first = Admission(None, 1, NOW + 60_000, 1)
        assert ask(counters, minute_limit=1) == first
        assert ask(counters, minute_limit=1, environment=1) == first
        assert ask(counters, minute_limit=1, account=other) == first

    def test_a_cost_of_nothing_counts_a_request_and_no_unit(self, counters: Counters) -> None:
        assert ask(counters, cost=0) == Admission(None, 1, NOW + 60_000, 0)
        [row] = counters.changed_usage(10)
        assert (row.requests, row.units) == (1, 0)

    def test_a_cost_of_nothing_passes_a_spent_month(self, counters: Counters) -> None:
        ask(counters, cost=1_000)
        assert ask(counters, cost=0) == Admission(None, 2, NOW + 60_000, 1_000)

    def test_the_quota_can_be_used_to_its_last_unit(self, counters: Counters) -> None:
        assert ask(counters, cost=1_000) == Admission(None, 1, NOW + 60_000, 1_000)
        assert ask(counters, cost=1) == Admission("month", 1, NOW + 60_000, 1_000)

    def test_units_beyond_32_bits_stay_exact(self, counters: Counters) -> None:
        huge = 2**45
        counters.seed_month(b"h" * 16, 0, MONTH, huge)
        answer = ask(counters, account=b"h" * 16, cost=9_999, month_limit=2 * huge)
        assert answer == Admission(None, 1, NOW + 60_000, huge + 9_999)


class TestRefuses:
    def test_a_refusal_never_costs(self, counters: Counters) -> None:
        ask(counters, cost=3, minute_limit=1)
        before = counters.changed_usage(10)
        for minute_limit, cost in ((1, 1), (60, 998), (0, 5)):
            refusal = ask(counters, now_ms=NOW + 5, minute_limit=minute_limit, cost=cost)
            assert refusal is not None
            assert refusal.refused_by is not None
        assert counters.peek(ACCOUNT, 0, MONTH, NOW) == Peek(1, NOW + 60_000, 3)
        assert counters.changed_usage(10) == before

    def test_a_refusal_starts_no_minute(self, counters: Counters) -> None:
        assert ask(counters, minute_limit=0) == Admission("minute", 0, NOW + 60_000, 0)
        later = NOW + 30_000
        assert ask(counters, now_ms=later) == Admission(None, 1, later + 60_000, 1)

    def test_a_cost_above_the_whole_quota_is_refused_by_the_month(self, counters: Counters) -> None:
        assert ask(counters, cost=1_001) == Admission("month", 0, NOW + 60_000, 0)
        assert ask(counters, cost=1_000) == Admission(None, 1, NOW + 60_000, 1_000)

    def test_a_full_minute_is_the_reason_only_if_the_month_would_let_it_through(
        self, counters: Counters
    ) -> None:
        ask(counters, minute_limit=1, cost=990)
        assert ask(counters, minute_limit=1, cost=10) == Admission("minute", 1, NOW + 60_000, 990)
        assert ask(counters, minute_limit=1, cost=11) == Admission("month", 1, NOW + 60_000, 990)

    def test_a_plan_that_became_smaller_refuses_what_is_above_it(self, counters: Counters) -> None:
        ask(counters, cost=500)
        assert ask(counters, cost=0, month_limit=100) == Admission("month", 1, NOW + 60_000, 500)


class TestMinute:
    def test_it_lasts_to_the_millisecond(self, counters: Counters) -> None:
        ask(counters, minute_limit=1)
        last = ask(counters, minute_limit=1, now_ms=NOW + 59_999)
        assert last == Admission("minute", 1, NOW + 60_000, 1)
        next_one = ask(counters, minute_limit=1, now_ms=NOW + 60_000)
        assert next_one == Admission(None, 1, NOW + 120_000, 2)

    def test_it_survives_the_turn_of_the_month(self, counters: Counters) -> None:
        ask(counters)
        counters.seed_month(ACCOUNT, 0, MONTH + 1, 0)
        answer = ask(counters, month=MONTH + 1, now_ms=NOW + 1)
        assert answer == Admission(None, 2, NOW + 60_000, 1)

    def test_hosts_whose_clocks_differ_a_little_share_it(self, counters: Counters) -> None:
        ask(counters)
        assert ask(counters, now_ms=NOW - 50) == Admission(None, 2, NOW + 60_000, 2)

    @pytest.mark.parametrize("hours", [1, 24, 365 * 24])
    def test_a_clock_that_is_stepped_back_neither_prolongs_nor_forgets_it(
        self, counters: Counters, hours: int
    ) -> None:
        """S39: it keeps its count, and ends a minute from when that is first noticed."""
        ask(counters, minute_limit=1, now_ms=NOW + hours * 3_600_000)
        ends = NOW + 60_000
        assert counters.peek(ACCOUNT, 0, MONTH, NOW) == Peek(1, ends, 1)
        assert ask(counters, minute_limit=1) == Admission("minute", 1, ends, 1)
        # A refusal settles it: asking again and again does not move its end.
        assert ask(counters, minute_limit=1, now_ms=ends - 1) == Admission("minute", 1, ends, 1)
        assert ask(counters, minute_limit=1, now_ms=ends) == Admission(None, 1, ends + 60_000, 2)


class TestMonth:
    def test_a_month_that_is_not_known_is_asked_for(self, counters: Counters) -> None:
        assert ask(counters, month=MONTH + 1) is None
        assert counters.peek(ACCOUNT, 0, MONTH + 1, NOW) is None
        assert ask(counters, account=b"?" * 16) is None
        assert counters.peek(b"?" * 16, 0, MONTH, NOW) is None
        assert counters.changed_usage(10) == []

    def test_seeding_starts_where_the_database_is(self, counters: Counters) -> None:
        counters.seed_month(ACCOUNT, 0, MONTH + 1, 990)
        assert ask(counters, month=MONTH + 1, cost=10) == Admission(None, 1, NOW + 60_000, 1_000)

    def test_seeding_again_changes_nothing(self, counters: Counters) -> None:
        ask(counters, cost=5)
        counters.seed_month(ACCOUNT, 0, MONTH, 700)
        assert counters.peek(ACCOUNT, 0, MONTH, NOW) == Peek(1, NOW + 60_000, 5)

    def test_the_month_before_can_still_be_counted(self, counters: Counters) -> None:
        counters.seed_month(ACCOUNT, 0, MONTH + 1, 40)
        assert ask(counters, cost=5) == Admission(None, 1, NOW + 60_000, 5)
        assert ask(counters, cost=2, month=MONTH + 1) == Admission(None, 2, NOW + 60_000, 42)

    def test_a_month_asked_for_late_can_be_seeded_too(self, counters: Counters) -> None:
        counters.seed_month(b"l" * 16, 0, 202701, 40)
        counters.seed_month(b"l" * 16, 0, 202612, 7)
        late = ask(counters, account=b"l" * 16, month=202612)
        assert late == Admission(None, 1, NOW + 60_000, 8)

    def test_only_one_of_twenty_simultaneous_seeds_counts(self, counters: Counters) -> None:
        account = b"s" * 16
        start = threading.Barrier(20)
        answers: list[Admission | None] = []

        def seed_and_count(base: int) -> None:
            start.wait()
            counters.seed_month(account, 0, MONTH, base)
            answers.append(ask(counters, account=account, month_limit=10**6))

        threads = [threading.Thread(target=seed_and_count, args=(n * 100,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        spent = sorted(answer.month_used for answer in answers if answer is not None)
        base = spent[0] - 1
        assert base % 100 == 0
        assert spent == list(range(base + 1, base + 21))

    def test_a_deleted_account_is_asked_for_again_and_keeps_its_usage(
        self, counters: Counters
    ) -> None:
        ask(counters)
        counters.forget_account(ACCOUNT)
        assert ask(counters) is None
        assert ask(counters, environment=1) is None
        assert [(row.key, row.day) for row in counters.changed_usage(10)] == [(KEY, DAY)]
