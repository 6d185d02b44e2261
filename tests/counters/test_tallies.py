"""Tallies: any number of limits beside the account's minute and month, all or nothing."""

import pytest

from ragauth.counters import Admission, Count, Counters, MeterRow, Use
from tests.counters.questions import (
    ACCOUNT,
    DAY,
    KEY,
    MONTH,
    NOW,
    ask,
    in_period,
    in_window,
    seed,
    seed_tallies,
)


@pytest.fixture(autouse=True)
def seeded(counters: Counters) -> None:
    seed(counters)


def counts(answer: Admission | None) -> tuple[Count, ...]:
    assert answer is not None
    return answer.counts


def test_each_tally_is_told_in_its_order(counters: Counters) -> None:
    day, total = in_period(3), in_period(5, period=0)
    seed_tallies(counters, day, total)
    tallies = (in_window(2), day, total, in_window(0, owner=ACCOUNT))
    assert ask(counters, tallies=tallies) == Admission(
        None,
        1,
        NOW + 60_000,
        1,
        (Count(2, NOW + 10_000), Count(3, 0), Count(5, 0), Count(0, NOW + 10_000)),
    )


def test_what_one_tally_refuses_is_counted_nowhere(counters: Counters) -> None:
    day = in_period(4)
    seed_tallies(counters, day)
    uses = (Use(b"tokens", 4),)
    first = ask(counters, tallies=(day, in_window(4, size=7)), uses=uses)
    refused = ask(counters, tallies=(day, in_window(4, size=7)), uses=uses)
    assert first is not None
    assert refused == first._replace(refused_by="tally")
    peek = counters.peek(ACCOUNT, 0, MONTH, NOW, (day, in_window(size=7)))
    assert peek == (*first[1:4], first.counts)
    [usage, meter] = counters.changed_usage_of(ACCOUNT)
    assert usage.requests == 1
    assert meter == MeterRow(ACCOUNT, KEY, 0, DAY, "tokens", 4, 0, usage.source_id)


@pytest.mark.parametrize(("minute", "month"), [(0, 10), (10, 0)])
def test_what_minute_or_month_refuses_is_counted_in_no_tally(
    counters: Counters, minute: int, month: int
) -> None:
    answer = ask(counters, minute_limit=minute, month_limit=month, tallies=(in_window(),))
    assert answer is not None
    assert answer.refused_by == ("minute" if minute == 0 else "month")
    assert answer.counts == (Count(0, NOW + 10_000),)


def test_a_tally_of_a_period_that_is_not_known_is_asked_for(counters: Counters) -> None:
    day = in_period()
    assert ask(counters, tallies=(in_window(), day)) is None
    assert counters.peek(ACCOUNT, 0, MONTH, NOW, (day,)) is None
    seed_tallies(counters, day, base=7)
    seed_tallies(counters, day, base=1)
    assert counts(ask(counters, tallies=(in_window(), day))) == (
        Count(1, NOW + 10_000),
        Count(8, 0),
    )
    assert ask(counters, tallies=(in_period(period=DAY + 1),)) is None
    assert ask(counters, tallies=(day._replace(owner=b"k" * 16),)) is None
    assert ask(counters, environment=1, tallies=(day,)) is None


def test_a_day_before_the_newest_counts_on(counters: Counters) -> None:
    """Two hosts around midnight do not throw each other's counts away."""
    today, tomorrow = in_period(), in_period(period=DAY + 1)
    seed_tallies(counters, today, tomorrow)
    for each in (today, tomorrow, today, tomorrow):
        last = counts(ask(counters, tallies=(each,)))
    assert last == (Count(2, 0),)
    assert counts(ask(counters, tallies=(today,))) == (Count(3, 0),)


def test_a_day_that_is_seeded_late_keeps_the_newest(counters: Counters) -> None:
    today, yesterday = in_period(), in_period(period=DAY - 1)
    seed_tallies(counters, today)
    ask(counters, tallies=(today,))
    seed_tallies(counters, yesterday, base=4)
    assert counts(ask(counters, tallies=(yesterday,))) == (Count(5, 0),)
    assert counts(ask(counters, tallies=(today,))) == (Count(2, 0),)


def test_a_window_opens_with_the_first_thing_that_is_counted_in_it(counters: Counters) -> None:
    assert counts(ask(counters, tallies=(in_window(0),)))[0].resets_at_ms == NOW + 10_000
    later = NOW + 7_000
    assert counts(ask(counters, tallies=(in_window(2),), now_ms=later)) == (
        Count(2, later + 10_000),
    )
    end = later + 10_000
    assert counts(ask(counters, tallies=(in_window(2),), now_ms=end - 1)) == (Count(4, end),)
    assert counts(ask(counters, tallies=(in_window(2),), now_ms=end)) == (Count(2, end + 10_000),)


@pytest.mark.parametrize("asked", [0, 9])
def test_a_window_from_a_clock_that_was_ahead_is_shortened_and_keeps_its_count(
    counters: Counters, asked: int
) -> None:
    """S39: it is stored so by whatever counts nothing in it, and its end does not move on."""
    ahead = NOW + 86_400_000
    ask(counters, tallies=(in_window(9),), now_ms=ahead)
    answer = ask(counters, tallies=(in_window(asked),))
    assert answer is not None
    assert answer.refused_by == ("tally" if asked else None)
    assert answer.counts == (Count(9, NOW + 10_000),)
    assert counts(ask(counters, tallies=(in_window(9),), now_ms=NOW + 5)) == answer.counts


def test_a_size_that_changes_keeps_the_count(counters: Counters) -> None:
    total = in_period(5, period=0, size=10)
    seed_tallies(counters, total)
    assert counts(ask(counters, tallies=(total,))) == (Count(5, 0),)
    refused = ask(counters, tallies=(total._replace(size=9),))
    assert refused is not None
    assert refused.refused_by == "tally"
    assert counts(ask(counters, tallies=(total,))) == (Count(10, 0),)


def test_an_amount_of_zero_is_refused_only_past_the_size(counters: Counters) -> None:
    for amount, size, refused_by in ((5, 5, None), (0, 5, None), (0, 4, "tally")):
        answer = ask(counters, tallies=(in_window(amount, size=size),))
        assert answer is not None
        assert answer.refused_by == refused_by


def test_a_total_is_one_whatever_the_day(counters: Counters) -> None:
    total = in_period(period=0)
    seed_tallies(counters, total, base=2)
    ask(counters, tallies=(total,))
    seed_tallies(counters, total, base=0)
    far = NOW + 86_400_000 * 40
    counters.seed_month(ACCOUNT, 0, MONTH + 1, 0)
    answer = ask(counters, tallies=(total,), now_ms=far, month=MONTH + 1)
    assert counts(answer) == (Count(4, 0),)


def test_amounts_up_to_the_largest_are_exact(counters: Counters) -> None:
    largest = 10**12
    total = in_period(largest, period=0, size=10**15)
    seed_tallies(counters, total, base=largest - 1)
    uses = (Use(b"tokens", largest), Use(b"pages", 1))
    for _ in range(3):
        answer = ask(counters, tallies=(total, in_window(largest, size=10**15)), uses=uses)
    assert counts(answer) == (Count(4 * largest - 1, 0), Count(3 * largest, NOW + 10_000))
    rows = counters.changed_usage_of(ACCOUNT)
    assert {row.meter: row.amount for row in rows if isinstance(row, MeterRow)} == {
        "tokens": 3 * largest,
        "pages": 3,
    }
    counters.usage_saved(rows)
    assert counters.changed_usage(10) == []


def test_a_deleted_account_has_no_tallies_of_its_own(counters: Counters) -> None:
    day = in_period()
    seed_tallies(counters, day)
    ask(counters, tallies=(day,), uses=(Use(b"tokens", 1),))
    counters.forget_account(ACCOUNT)
    assert ask(counters, tallies=(day,)) is None
    assert len(counters.changed_usage_of(ACCOUNT)) == 2


def test_a_tally_that_was_forgotten_begins_again(counters: Counters) -> None:
    day = in_period(4, size=100)
    window, total = in_window(4, size=100), in_period(4, size=100, period=0)
    forgotten, kept = (window, day, total), day._replace(name=b"kept")
    seed_tallies(counters, *forgotten[1:], kept)
    assert ask(counters, tallies=(*forgotten, kept)) is not None
    counters.forget_tallies(ACCOUNT, 0, forgotten)
    assert ask(counters, tallies=(*forgotten, kept)) is None
    assert counts(ask(counters, tallies=(window, kept))) == (Count(4, NOW + 10_000), Count(8, 0))
    seed_tallies(counters, *forgotten[1:])
    assert [each.used for each in counts(ask(counters, tallies=forgotten))] == [8, 4, 4]
    counters.forget_tallies(ACCOUNT, 1, forgotten)
    assert [each.used for each in counts(ask(counters, tallies=forgotten))] == [12, 8, 8]
