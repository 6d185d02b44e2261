"""The step that walks over LMDB records and drops the stale ones."""

from datetime import UTC, datetime, timedelta

from ragauth.counters.interface import DAY_MS, SKEW_MS
from ragauth.counters.lmdb_file import Txn
from ragauth.counters.lmdb_records import (
    ACCOUNT,
    ACCOUNT_KEY_BYTES,
    CLOCK,
    CLOCK_KEY,
    DAY,
    FIRST_WITH_MOMENT,
    LEASE,
    METER,
    PERIODS,
    TALLY_WINDOW,
    USAGE,
    USAGE_KEY_BYTES,
    WINDOW,
)
from ragauth.counters.periods import previous_month

_STEADY_MS = DAY_MS
# What database and rows tell again, or must not be told too little of: see `sweep`.
_KEPT_UNLESS_STEADY = (b"a", b"m", b"p")


def is_steady(txn: Txn, now_ms: int, monotonic_ms: int) -> bool:
    """Whether the wall clock has run for a day without a step, as far as sweeps have seen."""
    offset = now_ms - monotonic_ms
    known = txn.get(CLOCK_KEY)
    if known is not None:
        known_offset, since_ms = CLOCK.unpack(known)
        if abs(offset - known_offset) <= SKEW_MS:
            return bool(monotonic_ms - since_ms >= _STEADY_MS)
    txn.put(CLOCK_KEY, CLOCK.pack(offset, monotonic_ms))
    return False


def sweep(
    txn: Txn, after: bytes, steps: int, now_ms: int, keep_days: int, *, drops_usage: bool
) -> bytes:
    """Look at `steps` records that follow `after` and drop the stale ones.

    Usage and what belongs to a period are dropped only if `drops_usage`: under a clock that is
    wrong by a year all of them seem old. After the clock is right again, totals that may only grow
    would begin at zero. Records with a moment of their own are left to `drop_ended`. Returns the
    key at which the next sweep continues, empty at the end of the pass.
    """
    today = datetime.fromtimestamp(now_ms / 1000, UTC)
    oldest_month = previous_month(today.year * 100 + today.month)
    kept = today - timedelta(days=keep_days)
    oldest_day = kept.year * 10_000 + kept.month * 100 + kept.day
    kept_ms = now_ms - keep_days * DAY_MS
    stale = []
    cursor = txn.cursor()
    positioned = cursor.set_range(after) if after else cursor.first()
    key = b""
    while positioned and steps:
        key, value = cursor.item()
        if key >= FIRST_WITH_MOMENT:
            positioned = False
            break
        if (drops_usage or key[:1] not in _KEPT_UNLESS_STEADY) and (
            _is_unused(value, now_ms, kept_ms)
            if key[:1] == b"p"
            else _is_stale(key, value, now_ms, oldest_month, oldest_day)
        ):
            stale.append(key)
        steps -= 1
        positioned = cursor.next()
    for stale_key in stale:
        txn.delete(stale_key)
    return key + b"\0" if positioned else b""


def _is_stale(key: bytes, value: bytes, now_ms: int, oldest_month: int, oldest_day: int) -> bool:
    tag = key[:1]
    if tag == b"a" and len(key) == ACCOUNT_KEY_BYTES:
        _turn, minute_ends, _used, newest, *_rest = ACCOUNT.unpack(value)
        return bool(newest < oldest_month and minute_ends <= now_ms)
    if tag == b"a" and len(key) == USAGE_KEY_BYTES:
        _requests, _units, _last_used_ms, changed = USAGE.unpack(value)
        return bool(DAY.unpack_from(key, ACCOUNT_KEY_BYTES)[0] < oldest_day and not changed)
    if tag == b"m":
        _amount, _released, changed = METER.unpack(value)
        return bool(DAY.unpack_from(key, ACCOUNT_KEY_BYTES)[0] < oldest_day and not changed)
    if tag == b"q":
        return bool(TALLY_WINDOW.unpack(value)[1] <= now_ms)
    if tag == b"w":
        return bool(WINDOW.unpack(value)[0] <= now_ms)
    if tag == b"l":
        return bool(LEASE.unpack_from(value)[0] <= now_ms)
    return False


def _is_unused(tally: bytes, now_ms: int, kept_ms: int) -> bool:
    """Whether nothing was counted for long; the database tells the count again."""
    last_ms = PERIODS.unpack(tally)[-1]
    return bool(not kept_ms <= last_ms <= now_ms + SKEW_MS)
