"""What the file keeps of tallies, meters, reservations and events, and for how long."""

import pytest

from ragauth.counters import LmdbCounters, MeterRow, Reserve, Settled, Use, lmdb_store
from tests.counters.questions import (
    ACCOUNT,
    NOW,
    ask,
    in_period,
    in_window,
    report,
    seed,
    seed_tallies,
)
from tests.counters.stepped_time import SteppedTime, records

DAY_MS = 86_400_000
TOKEN = bytes(16)
USES = (Use(b"tokens", 4),)
TOTAL = in_period(4, period=0, size=1_000)


@pytest.fixture(autouse=True)
def steady(lmdb_counters: LmdbCounters, time: SteppedTime) -> None:
    """A clock that has run without a step for more than a day, as far as the file knows."""
    time.step(-2 * DAY_MS)
    lmdb_counters.prune(time.now)
    time.shift(2 * DAY_MS)
    seed(lmdb_counters)
    seed_tallies(lmdb_counters, TOTAL)


def prune_all(store: LmdbCounters, time: SteppedTime) -> None:
    while store.prune(time.now):
        pass


def test_a_reservation_goes_a_day_after_its_end(
    lmdb_counters: LmdbCounters, time: SteppedTime
) -> None:
    reserve = Reserve(TOKEN, NOW + 1_000, USES)
    answer = ask(lmdb_counters, tallies=(TOTAL,), uses=USES, reserve=reserve)
    assert answer is not None
    before = records(lmdb_counters)
    time.shift(DAY_MS + 999)
    prune_all(lmdb_counters, time)
    late = lmdb_counters.settle(ACCOUNT, TOKEN, (), time.now, answer.store)
    assert (late, records(lmdb_counters)) == (Settled("over"), before)
    time.shift(1)
    prune_all(lmdb_counters, time)
    assert records(lmdb_counters) == before - 2  # the reservation, and its moment


def test_an_event_goes_after_48_hours(lmdb_counters: LmdbCounters, time: SteppedTime) -> None:
    before = records(lmdb_counters)
    report(lmdb_counters, b"e1", 0)
    for at_ms, kept in ((2 * DAY_MS - 1, 2), (1, 0)):
        time.shift(at_ms)
        prune_all(lmdb_counters, time)
        assert records(lmdb_counters) == before + kept


def test_an_event_that_came_again_is_kept_from_then_on(
    lmdb_counters: LmdbCounters, time: SteppedTime
) -> None:
    report(lmdb_counters, b"e1", 0)
    time.shift(2 * DAY_MS)
    report(lmdb_counters, b"e1", 0, now_ms=time.now)
    prune_all(lmdb_counters, time)
    known = report(lmdb_counters, b"e1", 0, now_ms=time.now + 2 * DAY_MS - 1)
    assert known is not None
    assert known.was_known


def test_a_flood_of_events_goes_in_bounded_calls(
    lmdb_counters: LmdbCounters, time: SteppedTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_store, "STEP", 10)
    before = records(lmdb_counters)
    for number in range(450):
        report(lmdb_counters, b"e%d" % number, 0)
    time.shift(2 * DAY_MS)
    assert lmdb_counters.prune(time.now)
    assert records(lmdb_counters) == before + 100
    prune_all(lmdb_counters, time)
    assert records(lmdb_counters) == before


def test_a_clock_that_was_wrong_by_a_year_forgets_neither_events_nor_reservations(
    lmdb_counters: LmdbCounters, time: SteppedTime
) -> None:
    """S39, S49: an event would count twice, and a reservation never be given back."""
    reserve = Reserve(TOKEN, NOW + 10 * DAY_MS, USES)
    answer = ask(lmdb_counters, tallies=(TOTAL,), uses=USES, reserve=reserve)
    assert answer is not None
    report(lmdb_counters, b"e1", 4, TOTAL)
    lmdb_counters.usage_saved(lmdb_counters.changed_usage(10))
    before = records(lmdb_counters)
    time.step(365 * DAY_MS)
    for _ in range(20):
        time.shift(3_600_000)
        prune_all(lmdb_counters, time)
    time.step(-365 * DAY_MS)
    prune_all(lmdb_counters, time)
    assert records(lmdb_counters) == before
    known = report(lmdb_counters, b"e1", 4, TOTAL, now_ms=time.now)
    assert known is not None
    assert known.was_known
    settled = lmdb_counters.settle(ACCOUNT, TOKEN, (), time.now, answer.store)
    assert settled.released == USES
    [row] = [row for row in lmdb_counters.changed_usage(10) if isinstance(row, MeterRow)]
    assert (row.amount, row.released) == (8, 4)


def test_windows_go_when_they_are_over_and_tallies_when_nothing_is_counted(
    lmdb_counters: LmdbCounters, time: SteppedTime
) -> None:
    before = records(lmdb_counters)
    # Usage of the key and of its meter with their marks, a window.
    ask(lmdb_counters, tallies=(TOTAL, in_window(4)), uses=USES)
    lmdb_counters.usage_saved(lmdb_counters.changed_usage(10))
    assert records(lmdb_counters) == before + 3
    time.shift(10_000)
    prune_all(lmdb_counters, time)
    assert records(lmdb_counters) == before + 2
    time.shift(7 * DAY_MS)
    ask(lmdb_counters, tallies=(TOTAL,), now_ms=time.now)
    lmdb_counters.usage_saved(lmdb_counters.changed_usage(10))
    while lmdb_counters.prune(time.now, keep_days=6):
        pass
    # Both rows of usage are old, and one was used again; the total was counted again.
    assert records(lmdb_counters) == before
    assert ask(lmdb_counters, tallies=(TOTAL,), now_ms=time.now) is not None
    time.shift(8 * DAY_MS)
    while lmdb_counters.prune(time.now, keep_days=6):
        pass
    assert ask(lmdb_counters, tallies=(TOTAL,), now_ms=time.now) is None


def test_a_deleted_account_leaves_nothing_but_usage(
    lmdb_counters: LmdbCounters, time: SteppedTime
) -> None:
    reserve = Reserve(TOKEN, NOW + 1_000, USES)
    key_total = TOTAL._replace(owner=b"another key's id")
    seed_tallies(lmdb_counters, key_total)
    answer = ask(
        lmdb_counters, tallies=(TOTAL, key_total, in_window(4)), uses=USES, reserve=reserve
    )
    assert answer is not None
    lmdb_counters.forget_account(ACCOUNT)
    settled = lmdb_counters.settle(ACCOUNT, TOKEN, (), NOW, answer.store)
    assert settled == Settled("unknown")
    lmdb_counters.usage_saved(lmdb_counters.changed_usage(10))
    time.shift(60 * DAY_MS)
    prune_all(lmdb_counters, time)
    assert records(lmdb_counters) == 2  # the source id, and the clock
