"""Reports: counted past every limit, once for each event."""

import pytest

from ragauth.counters import Count, Counters, MeterRow, Reported
from tests.cases import for_each
from tests.counters.questions import (
    ACCOUNT,
    DAY,
    KEY,
    NOW,
    ask,
    in_period,
    in_window,
    report,
    seed,
    seed_tallies,
)

TWO_DAYS_MS = 2 * 86_400_000
KNOWN = Reported(True, ())


@pytest.fixture(autouse=True)
def seeded(counters: Counters) -> None:
    seed(counters)


def test_a_report_counts_past_the_size_and_the_next_question_is_refused(
    counters: Counters,
) -> None:
    total = in_period(25, period=0)
    seed_tallies(counters, total)
    assert report(counters, b"e1", 25, total) == Reported(False, (Count(25, 0),))
    answer = ask(counters, tallies=(total._replace(amount=0),))
    assert answer is not None
    assert answer.refused_by == "tally"
    [row] = counters.changed_usage_of(ACCOUNT)
    assert row == MeterRow(ACCOUNT, KEY, 0, DAY, "tokens", 25, 0, row.source_id)


def test_an_event_counts_once_in_48_hours(counters: Counters) -> None:
    total = in_period(5, period=0)
    seed_tallies(counters, total)
    assert report(counters, b"e1", 5, total) == Reported(False, (Count(5, 0),))
    assert report(counters, b"e1", 6, total) == KNOWN
    assert report(counters, b"e1", 5, total, now_ms=NOW + TWO_DAYS_MS - 1) == KNOWN
    assert report(counters, b"e2", 5, total) == Reported(False, (Count(10, 0),))
    again = report(counters, b"e1", 5, total, now_ms=NOW + TWO_DAYS_MS)
    assert again == Reported(False, (Count(15, 0),))


@for_each("event", [b"x" * 128, "ü{}: ".encode() * 20])
def test_an_event_may_have_any_name(counters: Counters, event: bytes) -> None:
    assert report(counters, event, 1) == Reported(False, ())
    assert report(counters, event, 1) == KNOWN
    assert report(counters, event[:-1], 1) == Reported(False, ())


def test_what_is_not_known_is_asked_for_and_the_event_is_still_new(counters: Counters) -> None:
    yesterday = in_period(5, period=DAY - 1)
    assert report(counters, b"e1", 5, yesterday, day=DAY - 1) is None
    seed_tallies(counters, yesterday, base=3)
    assert report(counters, b"e1", 5, yesterday, day=DAY - 1) == Reported(False, (Count(8, 0),))
    [row] = counters.changed_usage_of(ACCOUNT)
    assert isinstance(row, MeterRow)
    assert (row.day, row.amount) == (DAY - 1, 5)


def test_a_window_counts_what_was_used_while_it_was_open(counters: Counters) -> None:
    window = in_window(5)
    closed = Reported(False, (Count(0, NOW + 10_000),))
    assert report(counters, b"e1", 5, window) == closed
    ask(counters, tallies=(window._replace(amount=1),))
    before = report(counters, b"e2", 5, window, now_ms=NOW + 9, at_ms=NOW - 1)
    assert before == Reported(False, (Count(1, NOW + 10_000),))
    within = report(counters, b"e3", 5, window, now_ms=NOW + 9, at_ms=NOW)
    assert within == Reported(False, (Count(6, NOW + 10_000),))
