"""The part of SQL in which verifications are asked for, over rows that are made up."""
# ruff: noqa: S608 - no database reads these queries

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragauth.blueprints.compat.unkey.analytics_queries import InvalidQuery, parse_query
from tests.cases import for_each
from tests.servers.gunicorn import PROJECT_ROOT

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
DAYS, MONTHS = "key_verifications_per_day_v1", "key_verifications_per_month_v1"
VALID = "outcome = 'VALID'"
ROWS = [("2026-02-27", "k1", 5), ("2026-02-28", "k1", 1), ("2026-03-01", "k2", 2),
        ("2026-03-30", "k1", 3), ("2026-03-31", "k2", 4)]  # fmt: skip


def ask(query: str) -> list[dict[str, Any]]:
    parsed = parse_query(query, NOW)
    return parsed.answer(
        {
            "time": parsed.begins(date.fromisoformat(day)),
            "key_id": key,
            "external_id": "",
            "key_space_id": "",
            "outcome": "VALID",
            "count": count,
            "spent_credits": 10 * count,
        }
        for day, key, count in ROWS
    )


def total(condition: str, table: str = DAYS) -> int:
    [row] = ask(f"SELECT SUM(count) AS n FROM {table} WHERE {VALID} AND {condition}")
    number: int = row["n"]
    return number


@for_each(
    ("condition", "expected"),
    [
        ("time >= '2026-03-01'", 9),
        ("time > '2026-03-01'", 7),
        ("time <= '2026-02-28' AND time >= '2026-02-28'", 1),
        ("time < toDate('2026-02-28')", 5),
        ("time = today()", 4),
        ("time = yesterday()", 3),
        ("time BETWEEN '2026-02-28' AND '2026-03-01'", 3),
        # A day is its first moment: that of a day ago at noon is over.
        ("time >= now() - INTERVAL 1 DAY", 4),
        ("time >= today() - INTERVAL 1 DAY", 7),
        ("time >= now() - INTERVAL 5 weeks", 15),
        ("time >= now() - INTERVAL 4 WEEK", 7),
        # 31 March less a month is 28 February.
        ("time >= today() - INTERVAL 1 MONTH", 10),
        ("time >= today() - INTERVAL 999999999 MONTH", 15),
        ("time >= today() - INTERVAL 999999999 DAY", 15),
        ("key_id = 'k1'", 9),
        ("key_id = 'k1' AND time > yesterday() - INTERVAL 1 day", 3),
        ("external_id = ''", 15),
        ("key_id = 'it''s'", 0),
    ],
)
def test_conditions_choose_rows(condition: str, expected: int) -> None:
    assert total(condition) == expected


def test_a_month_is_its_first_day() -> None:
    assert total("time = '2026-03-01'", MONTHS) == 9
    assert total("time >= '2026-02-02'", MONTHS) == 9


def test_rows_are_grouped_ordered_and_limited() -> None:
    query = (
        f"SELECT time, key_id AS k, SUM(spent_credits) AS used FROM {MONTHS} WHERE {VALID} "
        "GROUP BY time, key_id ORDER BY time DESC, used ASC"
    )
    march = [{"time": "2026-03-01", "k": "k1", "used": 30}]
    march.append({"time": "2026-03-01", "k": "k2", "used": 60})
    assert ask(query) == [*march, {"time": "2026-02-01", "k": "k1", "used": 60}]
    assert ask(f"{query} LIMIT 1;") == march[:1]
    assert ask(f"{query} LIMIT 0") == []
    assert ask(f"SELECT key_id FROM {DAYS} WHERE {VALID} GROUP BY key_id ORDER BY key_id") == [
        {"key_id": "k1"},
        {"key_id": "k2"},
    ]


def test_no_rows_have_a_sum_of_nothing_and_no_groups() -> None:
    where = f"FROM {DAYS} WHERE {VALID} AND key_id = 'k9'"
    assert ask(f"SELECT SUM(count) {where}") == [{"sum(count)": 0}]
    assert ask(f"SELECT key_id, SUM(count) {where} GROUP BY key_id") == []
    assert ask(f"SELECT key_id {where}") == []


@for_each(
    ("query", "message"),
    [
        (f"SELECT time FROM {DAYS}", "Only allowed checks are kept here"),
        (f"SELECT time FROM {DAYS} WHERE outcome = 'EXPIRED'", "Only allowed checks are kept"),
        (f"SELECT time FROM {DAYS} WHERE {VALID} AND outcome = 'EXPIRED'", "cannot be both"),
        (f"SELECT time FROM {DAYS} WHERE {VALID} OR key_id = 'k'", "the end expected, 'OR' found"),
        (f"SELECT tags FROM {DAYS} WHERE {VALID}", "a column, or SUM of one"),
        (f"SELECT SUM(time) FROM {DAYS} WHERE {VALID}", "a column that can be summed"),
        (f"SELECT time FROM key_verifications_v1 WHERE {VALID}", "kept by day and month"),
        (f"SELECT time, SUM(count) FROM {DAYS} WHERE {VALID}", "time must be in GROUP BY"),
        (f"SELECT count FROM {DAYS} WHERE {VALID} GROUP BY key_id", "count must be in GROUP BY"),
        (f"SELECT time FROM {DAYS} WHERE {VALID} ORDER BY key_id", "not a column of the answer"),
        (f"SELECT time, key_id AS time FROM {DAYS} WHERE {VALID}", "called the same"),
        (f"SELECT time AS select FROM {DAYS} WHERE {VALID}", "a name expected, 'select' found"),
        (f"SELECT time FROM {DAYS} WHERE time > 5", "a day"),
        (f"SELECT time FROM {DAYS} WHERE time > '2026-02-30'", "is not a day"),
        (f"SELECT time FROM {DAYS} WHERE time > now() - INTERVAL 1 YEAR", "DAY, WEEK or MONTH"),
        (f"SELECT time FROM {DAYS} LIMIT -1", "a number expected, '-' found"),
        (f"SELECT time FROM {DAYS} -- x", "the end expected, '-' found"),
        ("SELECT", "a column, or SUM of one"),
        ("", "SELECT expected, the end found"),
        ("SELECT é", "'é' is not understood here"),
        ("SELECT 'open", '"\'" is not understood here'),
        ("SELECT " + "x" * 5_000, "at most 5,000 characters"),
    ],
)
def test_what_is_not_told_is_refused_with_a_reason(query: str, message: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse_query(query, NOW)
    assert message in str(refused.value)


_WORDS = [*f"SELECT time , SUM ( count ) AS n FROM {DAYS} WHERE {VALID} AND".split(), "'", ";"]
_MORE = ["GROUP", "BY", "key_id", "ORDER", "DESC", "LIMIT", "3", "now", "today", "-", ">=", "é"]


@given(st.lists(st.sampled_from([*_WORDS, *_MORE])).map(" ".join))
def test_no_words_make_it_fail_otherwise(query: str) -> None:
    with suppress(InvalidQuery):
        ask(query)


def test_the_documented_queries_are_understood() -> None:
    text = (PROJECT_ROOT / "docs/compat-unkey.md").read_text()
    examples = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        ask(example)
