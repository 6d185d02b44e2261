"""Usage waits, marked, until it is saved: as totals, so that a repetition does no harm."""

import re

import pytest

from ragauth.counters import Counters, UsageRow
from tests.counters.questions import ACCOUNT, DAY, KEY, NOW, ask, seed


@pytest.fixture(autouse=True)
def seeded(counters: Counters) -> None:
    seed(counters)


def test_a_row_holds_the_totals_of_its_key_and_day(counters: Counters) -> None:
    ask(counters, cost=3)
    ask(counters, cost=4, now_ms=NOW + 7)
    [row] = counters.changed_usage(10)
    assert row == UsageRow(ACCOUNT, KEY, 0, DAY, 2, 7, NOW + 7, row.source_id)
    assert re.fullmatch("[0-9a-f]{32}", row.source_id)


def test_keys_days_and_environments_have_rows_of_their_own(counters: Counters) -> None:
    ask(counters)
    ask(counters, key=b"k" * 16)
    ask(counters, day=DAY + 1)
    ask(counters, environment=1)
    rows = counters.changed_usage(10)
    assert {(row.key, row.environment, row.day) for row in rows} == {
        (KEY, 0, DAY),
        (b"k" * 16, 0, DAY),
        (KEY, 0, DAY + 1),
        (KEY, 1, DAY),
    }
    assert {row.requests for row in rows} == {1}


def test_the_last_use_never_goes_back(counters: Counters) -> None:
    ask(counters)
    ask(counters, now_ms=NOW - 40)
    assert [row.last_used_ms for row in counters.changed_usage(10)] == [NOW]


def test_rows_stay_marked_until_they_are_saved(counters: Counters) -> None:
    ask(counters)
    rows = counters.changed_usage(10)
    assert counters.changed_usage(10) == rows
    counters.usage_saved(rows)
    assert counters.changed_usage(10) == []


def test_a_hit_between_reading_and_saving_keeps_the_row_marked(counters: Counters) -> None:
    ask(counters)
    rows = counters.changed_usage(10)
    ask(counters, cost=0)
    counters.usage_saved(rows)
    [row] = counters.changed_usage(10)
    assert (row.requests, row.units) == (2, 1)
    counters.usage_saved([row])
    assert counters.changed_usage(10) == []


def test_a_saved_row_goes_on_from_its_totals(counters: Counters) -> None:
    ask(counters)
    counters.usage_saved(counters.changed_usage(10))
    ask(counters)
    assert [row.requests for row in counters.changed_usage(10)] == [2]


def test_saving_twice_or_saving_strange_rows_does_no_harm(counters: Counters) -> None:
    ask(counters)
    [row] = rows = counters.changed_usage(10)
    counters.usage_saved([row._replace(source_id="0" * 32), row._replace(day=DAY + 9)])
    assert counters.changed_usage(10) == rows
    counters.usage_saved(rows)
    counters.usage_saved(rows)
    ask(counters)
    counters.usage_saved(rows)
    assert len(counters.changed_usage(10)) == 1


def test_busy_keys_do_not_keep_the_others_from_being_saved(counters: Counters) -> None:
    keys = [bytes([n]) * 16 for n in range(6)]
    for turn, key in enumerate(keys):
        ask(counters, key=key, now_ms=NOW + turn)
    seen = set()
    for turn in range(3):
        rows = counters.changed_usage(2)
        seen |= {row.key for row in rows}
        for row in rows:
            ask(counters, key=row.key, now_ms=NOW + 100 + turn)
        counters.usage_saved(rows)
    assert seen == set(keys)


def test_never_more_rows_than_asked_for_and_none_twice(counters: Counters) -> None:
    for n in range(5):
        ask(counters, key=bytes([n]) * 16)
    assert counters.changed_usage(0) == []
    assert len(counters.changed_usage(3)) == 3
    rows = counters.changed_usage(100)
    assert len({row.key for row in rows}) == len(rows) == 5


def test_more_rows_than_one_step_are_saved(counters: Counters) -> None:
    for n in range(1_203):
        ask(counters, key=n.to_bytes(16, "big"), minute_limit=9_999, month_limit=9_999)
    rows = counters.changed_usage(2_000)
    assert len(rows) == 1_203
    counters.usage_saved(rows)
    assert counters.changed_usage(10) == []


def test_the_source_is_a_random_name_that_stays(counters: Counters) -> None:
    source = counters.source_id
    assert len(bytes.fromhex(source)) == 16
    counters.close()
    assert counters.source_id == source
