"""The steps that walk over LMDB records: reading and un-marking usage, dropping what is stale."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from ragauth.counters.interface import SKEW_MS, UsageRow, previous_month
from ragauth.counters.lmdb_file import LmdbFile, Txn
from ragauth.counters.lmdb_records import (
    ACCOUNT,
    ACCOUNT_KEY_BYTES,
    CLOCK,
    CLOCK_KEY,
    DAY,
    LEASE,
    USAGE,
    USAGE_KEY_BYTES,
    WINDOW,
)

_STEADY_MS = 86_400_000


def changed_usage(
    txn: Txn, limit: int, after: bytes, source_id: str
) -> tuple[list[UsageRow], bytes]:
    """Return up to `limit` marked rows that follow the key `after`, and the last one's key.

    The walk goes on at the beginning when it reaches the end: with a fixed start, busy keys that
    sort first would be saved again and again, and the others never.
    """
    marks = _marks(txn, after, b"e", limit)
    if len(marks) < limit:
        marks += _marks(txn, b"d", after + b"\0", limit - len(marks))
    rows = []
    for mark in marks:
        usage_key = mark[1:]
        record = txn.get(usage_key)
        if record is None:
            continue
        requests, units, last_used_ms, _changed = USAGE.unpack(record)
        rows.append(
            UsageRow(
                account=usage_key[1:17],
                key=usage_key[22:],
                environment=usage_key[17],
                day=DAY.unpack_from(usage_key, ACCOUNT_KEY_BYTES)[0],
                requests=requests,
                units=units,
                last_used_ms=last_used_ms,
                source_id=source_id,
            )
        )
    return rows, marks[-1] if marks else b"d"


def _marks(txn: Txn, after: bytes, until: bytes, limit: int) -> list[bytes]:
    found: list[bytes] = []
    cursor = txn.cursor()
    positioned = cursor.set_range(after + b"\0")
    while positioned and len(found) < limit and cursor.key() < until:
        found.append(cursor.key())
        positioned = cursor.next()
    return found


def unmark(txn: Txn, rows: Iterable[UsageRow], file: LmdbFile) -> None:
    """Un-mark rows which still hold the given values; rows of another source are not ours."""
    for row in rows:
        if row.source_id != file.source_id:
            continue
        usage_key = b"a" + row.account + bytes((row.environment,)) + DAY.pack(row.day) + row.key
        values = (row.requests, row.units, row.last_used_ms)
        if txn.get(usage_key) == USAGE.pack(*values, True):
            txn.put(usage_key, USAGE.pack(*values, False))
            txn.delete(b"d" + usage_key)


def is_steady(txn: Txn, now_ms: int, monotonic_ms: int) -> bool:
    """Whether the wall clock has gone on for a day without a step, as far as sweeps have seen."""
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

    Usage and months are dropped only if `drops_usage`: a clock that is wrong by a year takes all
    of them for old, and whoever counts on after it was set right would begin at nothing, in totals
    that may only grow. Returns the key at which the next sweep goes on, empty at the end of the
    pass.
    """
    today = datetime.fromtimestamp(now_ms / 1000, UTC)
    oldest_month = previous_month(today.year * 100 + today.month)
    kept = today - timedelta(days=keep_days)
    oldest_day = kept.year * 10_000 + kept.month * 100 + kept.day
    stale = []
    cursor = txn.cursor()
    positioned = cursor.set_range(after) if after else cursor.first()
    key = b""
    while positioned and steps:
        key, value = cursor.item()
        if (drops_usage or key[:1] != b"a") and _is_stale(
            key, value, now_ms, oldest_month, oldest_day
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
    if tag == b"w":
        return bool(WINDOW.unpack(value)[0] <= now_ms)
    if tag == b"l":
        return bool(LEASE.unpack_from(value)[0] <= now_ms)
    return False
