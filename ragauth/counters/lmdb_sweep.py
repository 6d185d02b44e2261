"""The steps that walk over LMDB records: read and un-mark usage, drop stale records."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from sys import maxsize

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
    txn: Txn, limit: int, after: bytes, until: bytes, source_id: str
) -> tuple[list[UsageRow], bytes]:
    """Return up to `limit` marked rows between two keys, and the last row's mark (or `after`)."""
    cursor = txn.cursor()
    if not cursor.set_range(after + b"\0"):
        return [], after
    marks = takewhile(until.__gt__, cursor.iternext(keys=True, values=False))
    rows = []
    for mark in islice(marks, limit):
        after = mark
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
    return rows, after


def changed_usage_of(txn: Txn, account: bytes, source_id: str) -> list[UsageRow]:
    """Return all marked rows of one account, in one step."""
    return changed_usage(txn, maxsize, *marks_of(account), source_id)[0]


def marks_of(account: bytes) -> tuple[bytes, bytes]:
    """Two keys between which all marks of an account stand, for `changed_usage`."""
    of_account = b"da" + account
    return of_account, of_account + b"\xff" * (USAGE_KEY_BYTES - len(account))


def unsaved_use(txn: Txn, of_account: bytes, key: bytes) -> int | None:
    """Return when a key was used last on the days of which its account has marked rows.

    `of_account` is the account with its environment. It takes a step for each such day, however
    many keys the account has.
    """
    marks, uses = b"da" + of_account, []
    cursor = txn.cursor()
    is_found = cursor.set_range(marks)
    while is_found and (mark := cursor.key()).startswith(marks):
        of_day = mark[: len(marks) + DAY.size]
        record = txn.get(of_day[1:] + key)
        if record is not None:
            uses.append(USAGE.unpack(record)[2])
        is_found = cursor.set_range(of_day + b"\xff" * (len(key) + 1))
    return max(uses, default=None)


def unmark(txn: Txn, rows: Iterable[UsageRow], file: LmdbFile) -> None:
    """Un-mark rows that still have the given values; ignore rows of another source."""
    for row in rows:
        if row.source_id != file.source_id:
            continue
        usage_key = b"a" + row.account + bytes((row.environment,)) + DAY.pack(row.day) + row.key
        values = (row.requests, row.units, row.last_used_ms)
        if txn.get(usage_key) == USAGE.pack(*values, True):
            txn.put(usage_key, USAGE.pack(*values, False))
            txn.delete(b"d" + usage_key)


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

    Usage and months are dropped only if `drops_usage`: under a clock that is wrong by a year all of
    them seem old. After the clock is right again, totals that may only grow would begin at zero.
    Returns the key at which the next sweep continues, empty at the end of the pass.
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
