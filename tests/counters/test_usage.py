"""Usage waits, marked, until it is saved: as totals, so that a repetition does no harm."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ragauth.counters import Counters, LmdbCounters, UsageRow, lmdb_usage, redis_store
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


def test_more_rows_than_one_step_are_saved(
    counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_usage, "STEP", 20)
    monkeypatch.setattr(redis_store, "STEP", 20)
    for n in range(103):
        ask(counters, key=n.to_bytes(16, "big"), minute_limit=9_999, month_limit=9_999)
    rows = counters.changed_usage(2_000)
    assert len(rows) == 103
    counters.usage_saved(rows)
    assert counters.changed_usage(10) == []


def test_the_source_is_a_random_name_that_stays(counters: Counters) -> None:
    source = counters.source_id
    assert len(bytes.fromhex(source)) == 16
    counters.close()
    assert counters.source_id == source


class Walks:
    """Reads what changed in steps of two rows, while something else happens after the first."""

    def __init__(self, counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
        self._counters = counters
        self._meanwhile: Iterator[Callable[[], object]] = iter(())
        monkeypatch.setattr(lmdb_usage, "STEP", 2)
        monkeypatch.setattr(redis_store, "STEP", 2)
        is_lmdb = isinstance(counters, LmdbCounters)
        owner, name = (counters._file, "transact") if is_lmdb else (counters, "_run")
        step = getattr(owner, name)

        def step_and_more(*arguments: Any, **named: Any) -> Any:
            done = step(*arguments, **named)
            # Most parts of a Cluster have nothing.
            if done and done[0]:
                for happen in self._meanwhile:
                    happen()
            return done

        monkeypatch.setattr(owner, name, step_and_more)

    def all_rows(self, meanwhile: Callable[[], object]) -> list[UsageRow]:
        self._meanwhile = iter([meanwhile])
        return self._counters.changed_usage(100)

    def rows_of_account(self, meanwhile: Callable[[], object]) -> list[UsageRow]:
        self._meanwhile = iter([meanwhile])
        return self._counters.changed_usage_of(ACCOUNT)


@pytest.fixture
def walks(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> Walks:
    return Walks(counters, monkeypatch)


NINE = {bytes([n]) * 16 for n in range(9)}


class TestWhileOthersSave:
    @pytest.fixture(autouse=True)
    def nine_keys(self, counters: Counters) -> None:
        for n, key in enumerate(sorted(NINE)):
            ask(counters, key=key, now_ms=NOW + n // 3)

    @pytest.mark.parametrize("read", [Walks.all_rows, Walks.rows_of_account])
    def test_one_that_reads_as_well_takes_no_row_away(
        self, counters: Counters, walks: Walks, read: Callable[..., list[UsageRow]]
    ) -> None:
        rows = read(walks, lambda: counters.changed_usage(5))
        assert {row.key for row in rows} == NINE
        assert len(rows) == len(NINE)

    @pytest.mark.parametrize("read", [Walks.all_rows, Walks.rows_of_account])
    def test_what_one_saves_is_the_only_thing_that_is_left_out(
        self, counters: Counters, walks: Walks, read: Callable[..., list[UsageRow]]
    ) -> None:
        saved = set()

        def save_some() -> None:
            some = counters.changed_usage(5)
            counters.usage_saved(some)
            saved.update(row.key for row in some)

        rows = read(walks, save_some)
        assert {row.key for row in rows} | saved == NINE

    @pytest.mark.parametrize("read", [Walks.all_rows, Walks.rows_of_account])
    def test_a_row_that_changes_again_stands_there_once(
        self, counters: Counters, walks: Walks, read: Callable[..., list[UsageRow]]
    ) -> None:
        def save_busy_ones() -> None:
            busy = counters.changed_usage(5)
            for row in busy:
                ask(counters, key=row.key, now_ms=NOW + 9)
            counters.usage_saved(busy)

        rows = read(walks, save_busy_ones)
        assert {row.key for row in rows} == NINE
        assert len(rows) == len(NINE)


def test_a_keys_last_use_is_known_until_it_is_saved(counters: Counters) -> None:
    other = bytes(16)
    assert counters.unsaved_use(ACCOUNT, 0, KEY) is None
    ask(counters, key=other, now_ms=NOW + 5)
    assert counters.unsaved_use(ACCOUNT, 0, KEY) is None
    ask(counters, day=DAY - 3, now_ms=NOW)
    ask(counters, now_ms=NOW + 1)
    ask(counters, environment=1, now_ms=NOW + 3)
    ask(counters, key=other, day=DAY + 1, now_ms=NOW + 7)
    assert counters.unsaved_use(ACCOUNT, 0, KEY) == NOW + 1
    assert counters.unsaved_use(ACCOUNT, 1, KEY) == NOW + 3
    assert counters.unsaved_use(ACCOUNT, 0, other) == NOW + 7
    counters.usage_saved(counters.changed_usage(10))
    assert counters.unsaved_use(ACCOUNT, 0, KEY) is None
