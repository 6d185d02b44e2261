"""Usage in the LMDB file: rows that wait, marked, until they are saved."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice, takewhile
from sys import maxsize
from typing import NamedTuple

from ragauth.counters.interface import ChangedRow, MeterRow, UsageRow, Use
from ragauth.counters.lmdb_file import LmdbFile, Txn
from ragauth.counters.lmdb_records import (
    ACCOUNT_KEY_BYTES,
    DAY,
    METER,
    USAGE,
    USAGE_KEY_BYTES,
)

#: How many records one transaction of a walk touches; meanwhile every check of the host waits.
STEP = 250

_pack_meter = METER.pack
_unpack_meter = METER.unpack


def _usage_row(key: bytes, record: bytes, source_id: str) -> UsageRow:
    requests, units, last_used_ms, _changed = USAGE.unpack(record)
    return UsageRow(*_name_of(key), requests, units, last_used_ms, source_id)


def _meter_row(key: bytes, record: bytes, source_id: str) -> MeterRow:
    amount, released, _changed = METER.unpack(record)
    meter = key[USAGE_KEY_BYTES:].decode()
    return MeterRow(*_name_of(key), meter, amount, released, source_id)


def _name_of(key: bytes) -> tuple[bytes, bytes, int, int]:
    """Account, key, environment and day."""
    (day,) = DAY.unpack_from(key, ACCOUNT_KEY_BYTES)
    return key[1:17], key[22:USAGE_KEY_BYTES], key[17], day


class Kind(NamedTuple):
    """Rows of one kind: the beginnings of their keys and of their marks, and how they are read."""

    tag: bytes
    mark: bytes
    read: Callable[[bytes, bytes, str], ChangedRow]

    @property
    def marks(self) -> tuple[bytes, bytes]:
        """Two keys between which all marks stand."""
        return self.mark, bytes((self.mark[0] + 1,))

    def marks_of(self, account: bytes) -> tuple[bytes, bytes]:
        """Two keys between which all marks of an account stand."""
        of_account = self.mark + self.tag + account
        return of_account, of_account + b"\xff" * USAGE_KEY_BYTES


USAGE_ROWS = Kind(b"a", b"d", _usage_row)
METER_ROWS = Kind(b"m", b"n", _meter_row)
KINDS = (USAGE_ROWS, METER_ROWS)


def changed(
    txn: Txn, kind: Kind, limit: int, after: bytes, until: bytes, source_id: str
) -> tuple[list[ChangedRow], bytes]:
    """Return up to `limit` marked rows between two keys, and the last row's mark (or `after`)."""
    cursor = txn.cursor()
    if not cursor.set_range(after + b"\0"):
        return [], after
    marks = takewhile(until.__gt__, cursor.iternext(keys=True, values=False))
    rows = []
    for mark in islice(marks, limit):
        after = mark
        key = mark[1:]
        record = txn.get(key)
        if record is not None:
            rows.append(kind.read(key, record, source_id))
    return rows, after


def changed_of(txn: Txn, account: bytes, source_id: str) -> list[ChangedRow]:
    """Return all marked rows of one account, in one step."""
    rows: list[ChangedRow] = []
    for kind in KINDS:
        rows += changed(txn, kind, maxsize, *kind.marks_of(account), source_id)[0]
    return rows


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


def unmark(txn: Txn, rows: Iterable[ChangedRow], source_id: str) -> None:
    """Un-mark rows that still have the given values; ignore rows of another source."""
    for row in rows:
        if row.source_id != source_id:
            continue
        name = row.account + bytes((row.environment,)) + DAY.pack(row.day) + row.key
        if isinstance(row, UsageRow):
            key = USAGE_ROWS.tag + name
            values = (row.requests, row.units, row.last_used_ms)
            saved, unsaved = USAGE.pack(*values, False), USAGE.pack(*values, True)
        else:
            key = METER_ROWS.tag + name + row.meter.encode()
            saved = _pack_meter(row.amount, row.released, False)
            unsaved = _pack_meter(row.amount, row.released, True)
        if txn.get(key) == unsaved:
            txn.put(key, saved)
            txn.delete((b"d" if key[:1] == b"a" else b"n") + key)


def add_uses(txn: Txn, of_day: bytes, uses: Sequence[Use]) -> None:
    """Count what was used of meters; `of_day` is account, environment, day and key."""
    for meter, amount in uses:
        if amount:
            add(txn, b"m" + of_day + meter, amount, 0)


def add(txn: Txn, key: bytes, amount: int, released: int) -> None:
    """Raise both totals of a row, and mark it."""
    record = txn.get(key)
    if record is None:
        is_marked = False
    else:
        old_amount, old_released, is_marked = _unpack_meter(record)
        amount += old_amount
        released += old_released
    txn.put(key, _pack_meter(amount, released, True))
    if not is_marked:
        txn.put(b"n" + key, b"")


class WaitingUsage:
    """The rows of a file that are not saved yet, read and un-marked in steps."""

    def __init__(self, file: LmdbFile) -> None:
        self._file = file
        self._begins: dict[bytes, bytes] = {}
        self._kinds = KINDS

    def changed(self, limit: int) -> list[ChangedRow]:
        """See `Counters.changed_usage`."""
        rows: list[ChangedRow] = []
        # Neither kind keeps the other from being saved: each call begins with the other one.
        self._kinds = self._kinds[::-1]
        for kind in self._kinds:
            rows += self._changed_of_kind(kind, limit - len(rows))
        return rows

    def _changed_of_kind(self, kind: Kind, limit: int) -> list[ChangedRow]:
        # The walk starts where the last one stopped, and wraps around at the end. With a fixed
        # start, busy keys that sort first would be saved again and again, and the others never.
        first, end = kind.marks
        begin = self._begins.get(kind.mark, first)
        rows, last = list[ChangedRow](), begin
        for after, until in ((begin, end), (first, begin + b"\0")):
            if len(rows) < limit:
                found, last = self._walk(kind, after, until, limit - len(rows))
                rows += found
        # Not between the steps: another thread may walk at the same time, and read each row too.
        self._begins[kind.mark] = last
        return rows

    def changed_of(self, account: bytes, limit: int) -> list[ChangedRow]:
        """See `Counters.changed_usage_of`."""
        rows: list[ChangedRow] = []
        for kind in KINDS:
            rows += self._walk(kind, *kind.marks_of(account), limit - len(rows))[0]
        return rows

    def saved(self, rows: Sequence[ChangedRow]) -> None:
        """See `Counters.usage_saved`."""
        for start in range(0, len(rows), STEP):
            self._file.transact(partial(self._unmark, rows[start : start + STEP]))

    def _unmark(self, rows: Sequence[ChangedRow], txn: Txn) -> None:
        unmark(txn, rows, self._file.source_id)

    def _walk(
        self, kind: Kind, after: bytes, until: bytes, limit: int
    ) -> tuple[list[ChangedRow], bytes]:
        """The marked rows between two keys, and the last one's mark; in steps."""
        rows: list[ChangedRow] = []
        while (step := min(STEP, limit - len(rows))) > 0:
            found, after = self._file.transact(partial(self._read_on, kind, after, until, step))
            rows += found
            if len(found) < step:
                break
        return rows, after

    def _read_on(
        self, kind: Kind, after: bytes, until: bytes, limit: int, txn: Txn
    ) -> tuple[list[ChangedRow], bytes]:
        return changed(txn, kind, limit, after, until, self._file.source_id)
