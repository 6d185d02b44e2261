"""Tallies in the LMDB file: what a charge counts beside the account's minute and month."""

from collections.abc import Iterable, Sequence
from sys import maxsize
from typing import NamedTuple

from ragauth.counters.interface import SKEW_MS, Count, Shift, Shifted, Tally
from ragauth.counters.lmdb_file import Txn
from ragauth.counters.lmdb_records import PERIODS, TALLY_WINDOW

_new_tuple = tuple.__new__
_pack_window = TALLY_WINDOW.pack
_unpack_window = TALLY_WINDOW.unpack
_pack_periods = PERIODS.pack
_unpack_periods = PERIODS.unpack
_NO_PERIODS = (0, 0, 0, 0)


class Found(NamedTuple):
    """A tally as it stands, before something is counted.

    `opened_ms` is 0 where the window is not open, and of a period. `is_shortened` tells that the
    window must be stored for its new end. `periods` are newest period, its count, another period,
    its count.
    """

    record_key: bytes
    used: int
    ends_ms: int
    opened_ms: int
    is_shortened: bool
    periods: tuple[int, int, int, int]


def look_up(
    txn: Txn, of_account: bytes, tallies: Iterable[Tally], turn: int, now_ms: int
) -> list[Found] | None:
    """How the tallies stand; None if one with a period is not known in this turn.

    `of_account` is the account with its environment.
    """
    found = []
    get = txn.get
    for owner, name, _meter, length_ms, period, _size, _amount in tallies:
        if length_ms:
            key = b"q" + of_account + owner + name
            record = get(key)
            opened, ends, used = (0, 0, 0) if record is None else _unpack_window(record)
            is_shortened = False
            left = ends - now_ms
            if left <= 0:
                opened, ends, used = 0, now_ms + length_ms, 0
            elif left > length_ms + SKEW_MS:
                ends, is_shortened = now_ms + length_ms, True
            # Half the cost of Found(…), whose __new__ is written in Python.
            found.append(_new_tuple(Found, (key, used, ends, opened, is_shortened, _NO_PERIODS)))
        else:
            key = b"p" + of_account + owner + name
            record = get(key)
            if record is None:
                return None
            of_turn, newest, newest_count, older, older_count, _last_ms = _unpack_periods(record)
            if of_turn != turn:
                return None
            if period == newest:
                used = newest_count
            elif period == older:
                used = older_count
            else:
                return None
            periods = (newest, newest_count, older, older_count)
            found.append(_new_tuple(Found, (key, used, 0, 0, False, periods)))
    return found


def fit(found: Sequence[Found], tallies: Iterable[Tally]) -> bool:
    """Whether all amounts fit."""
    return all(each[1] + tally[6] <= tally[5] for each, tally in zip(found, tallies, strict=True))


def count(
    txn: Txn, found: Sequence[Found], tallies: Sequence[Tally], turn: int, now_ms: int
) -> tuple[Count, ...]:
    """Count all amounts."""
    counts = []
    put = txn.put
    for (key, used, ends, opened, is_shortened, periods), tally in zip(found, tallies, strict=True):
        amount = tally[6]
        counted = used + amount
        counts.append(_new_tuple(Count, (counted, ends)))
        if not amount and not is_shortened:
            continue
        if tally[3]:
            put(key, _pack_window(opened or now_ms, ends, counted))
        else:
            put(key, _with_count(periods, tally[4], counted, turn, now_ms))
    return tuple(counts)


def _with_count(
    periods: tuple[int, int, int, int], period: int, used: int, turn: int, now_ms: int
) -> bytes:
    newest, newest_count, older, older_count = periods
    if period == newest:
        return _pack_periods(turn, newest, used, older, older_count, now_ms)
    return _pack_periods(turn, newest, newest_count, older, used, now_ms)


def as_they_stand(found: Iterable[Found]) -> tuple[Count, ...]:
    return tuple(Count(each.used, each.ends_ms) for each in found)


def keep_shortened(txn: Txn, found: Iterable[Found]) -> None:
    """Store windows that were shortened: a flood of refusals must not postpone their end."""
    for each in found:
        if each.is_shortened:
            txn.put(each.record_key, _pack_window(each.opened_ms, each.ends_ms, each.used))


def seed(txn: Txn, of_account: bytes, tally: Tally, base: int, turn: int, now_ms: int) -> int:
    """Start a period at `base` unless it is known; returns the turn in which it is.

    A record of a later turn tells that another process has begun one.
    """
    key = b"p" + of_account + tally.owner + tally.name
    record = txn.get(key)
    newest, newest_count, older, older_count = tally.period, base, 0, 0
    if record is not None:
        of_turn, *periods, _last_ms = _unpack_periods(record)
        if of_turn >= turn:
            turn = of_turn
            known, known_count, other, _other_count = periods
            if tally.period in (known, other):
                return turn
            if tally.period > known:
                older, older_count = known, known_count
            else:
                newest, newest_count, older, older_count = known, known_count, tally.period, base
    txn.put(key, _pack_periods(turn, newest, newest_count, older, older_count, now_ms))
    return turn


def shift(
    txn: Txn, of_account: bytes, tally: Tally, by: Shift, turn: int, now_ms: int
) -> Shifted | None:
    """Change the count of a period; None if it is not known in this turn."""
    found = look_up(txn, of_account, (tally,), turn, now_ms)
    if found is None:
        return None
    [known] = found
    after = min(max(known.used + by.by, by.at_least), by.at_most)
    txn.put(known.record_key, _with_count(known.periods, tally.period, after, turn, now_ms))
    return Shifted(known.used, after)


def drop(txn: Txn, of_account: bytes, tallies: Iterable[Tally]) -> None:
    """Drop the records of tallies, of a period with its other periods."""
    for tally in tallies:
        txn.delete((b"q" if tally.length_ms else b"p") + of_account + tally.owner + tally.name)


def adjust_window(
    txn: Txn, key: bytes, opened_ms: int, length_ms: int, amount: int, now_ms: int
) -> None:
    """Add to a window, if the one that was opened then is still open; never below 0."""
    record = txn.get(key)
    if record is None:
        return
    opened, ends, used = _unpack_window(record)
    if opened == opened_ms and ends > now_ms:
        if ends - now_ms > length_ms + SKEW_MS:
            ends = now_ms + length_ms
        txn.put(key, _pack_window(opened, ends, max(0, used + amount)))


def adjust_period(txn: Txn, key: bytes, period: int, amount: int, turn: int, now_ms: int) -> None:
    """Add to a period, if it is known in this turn; never below 0."""
    record = txn.get(key)
    if record is None:
        return
    of_turn, newest, newest_count, older, older_count, _last_ms = _unpack_periods(record)
    if of_turn == turn and period in (newest, older):
        used = newest_count if period == newest else older_count
        periods = (newest, newest_count, older, older_count)
        txn.put(key, _with_count(periods, period, max(0, used + amount), turn, now_ms))


def forget(txn: Txn, begins: bytes, limit: int = maxsize) -> int:
    """Drop up to `limit` records whose keys begin so; returns how many."""
    cursor = txn.cursor()
    cursor.set_range(begins)
    dropped = 0
    while dropped < limit and cursor.key().startswith(begins):
        # The cursor then stands at the next record.
        cursor.delete()
        dropped += 1
    return dropped
