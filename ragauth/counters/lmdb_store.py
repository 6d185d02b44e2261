"""Counters of one host: one LMDB write transaction for each decision."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from sys import maxsize

import lmdb

from ragauth import clock
from ragauth.counters import lmdb_sweep
from ragauth.counters.interface import (
    MINUTE_MS,
    SKEW_MS,
    Admission,
    Charge,
    Peek,
    UsageRow,
    Window,
    bounded_name,
    settle_window,
)
from ragauth.counters.lmdb_file import INITIAL_MAP_BYTES, LmdbFile, Txn
from ragauth.counters.lmdb_records import (
    ACCOUNT,
    DAY,
    ENVIRONMENT_BYTES,
    LEASE,
    USAGE,
    WINDOW,
    read_window,
)

TURN_IDLE_MS = 10_000
#: How many records one transaction of a walk touches; meanwhile every check of the host waits.
STEP = 250

_LONGEST_MINUTE_MS = MINUTE_MS + SKEW_MS
_new_tuple = tuple.__new__
_pack_account = ACCOUNT.pack
_unpack_account = ACCOUNT.unpack
_pack_usage = USAGE.pack
_unpack_usage = USAGE.unpack
_pack_day = DAY.pack


class LmdbCounters:
    """`Counters` in a file that all processes of one host share; nothing is synced to the disk."""

    def __init__(
        self,
        path: Path,
        map_bytes: int = INITIAL_MAP_BYTES,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._file = LmdbFile(path, map_bytes)
        self._monotonic = monotonic
        self._sweep_from = b""
        self._flush_from = b"d"

    @property
    def source_id(self) -> str:
        self.ping()
        return self._file.source_id

    def admit(self, charge: Charge) -> Admission | None:
        # Written out in one piece: each call and each closure would add noticeably to the cost of a
        # check.
        account, key, environment, minute_limit, month_limit, cost, month, day, now_ms = charge[:9]
        file = self._file
        account_key = b"a" + account + ENVIRONMENT_BYTES[environment]
        env = file.enter(now_ms)
        try:
            with env.begin(None, None, True) as txn:
                record = txn.get(account_key)
                if record is None:
                    return None
                turn, ends, used, newest, newest_units, older, older_units = _unpack_account(record)
                if turn != file.turn:
                    return None
                if month == newest:
                    spent = newest_units
                elif month == older:
                    spent = older_units
                else:
                    return None
                if not 0 < ends - now_ms <= _LONGEST_MINUTE_MS:
                    ends, used = settle_window(ends, used, MINUTE_MS, now_ms)
                    if used:
                        # Store the settled window even if the answer is a refusal: it ends a minute
                        # from now.
                        txn.put(
                            account_key,
                            _pack_account(
                                turn, ends, used, newest, newest_units, older, older_units
                            ),
                        )
                if spent + cost > month_limit:
                    return Admission("month", used, ends, spent)
                if used >= minute_limit:
                    return Admission("minute", used, ends, spent)
                used += 1
                spent += cost
                if month == newest:
                    newest_units = spent
                else:
                    older_units = spent
                usage_key = account_key + _pack_day(day) + key
                usage = txn.get(usage_key)
                if usage is None:
                    txn.put(usage_key, _pack_usage(1, cost, now_ms, True))
                    txn.put(b"d" + usage_key, b"")
                else:
                    requests, units, last_used_ms, changed = _unpack_usage(usage)
                    if last_used_ms < now_ms:
                        last_used_ms = now_ms
                    txn.put(usage_key, _pack_usage(requests + 1, units + cost, last_used_ms, True))
                    if not changed:
                        txn.put(b"d" + usage_key, b"")
                txn.put(
                    account_key,
                    _pack_account(turn, ends, used, newest, newest_units, older, older_units),
                )
            # Half the cost of Admission(…), whose __new__ is written in Python.
            return _new_tuple(Admission, (None, used, ends, spent))
        except lmdb.Error as error:
            file.recover(error)
        finally:
            file.leave()
        return self.admit(charge)

    def seed_month(self, account: bytes, environment: int, month: int, base_units: int) -> None:
        account_key = b"a" + account + ENVIRONMENT_BYTES[environment]

        def seed(txn: Txn) -> None:
            record = txn.get(account_key)
            turn = self._file.turn
            ends = used = newest = newest_units = older = older_units = 0
            if record is not None:
                found, ends, used, *months = _unpack_account(record)
                if found >= turn:
                    # A higher number: another process has begun a turn that this one has not
                    # noticed yet.
                    turn = self._file.turn = found
                    newest, newest_units, older, older_units = months
            if month in (newest, older):
                return
            if month > newest:
                older, older_units = newest, newest_units
                newest, newest_units = month, base_units
            else:
                older, older_units = month, base_units
            txn.put(
                account_key,
                _pack_account(turn, ends, used, newest, newest_units, older, older_units),
            )

        self._file.transact(seed)

    def peek(self, account: bytes, environment: int, month: int, now_ms: int) -> Peek | None:
        account_key = b"a" + account + ENVIRONMENT_BYTES[environment]
        record = self._file.transact(lambda txn: txn.get(account_key), now_ms=now_ms)
        if record is None:
            return None
        turn, ends, used, newest, newest_units, older, older_units = _unpack_account(record)
        if turn != self._file.turn or month not in (newest, older):
            return None
        ends, used = settle_window(ends, used, MINUTE_MS, now_ms)
        return Peek(used, ends, newest_units if month == newest else older_units)

    def hit(self, bucket: bytes, window_ms: int, now_ms: int, amount: int = 1) -> Window:
        name = b"w" + bounded_name(bucket)

        def count(txn: Txn) -> Window:
            window = read_window(txn.get(name), window_ms, now_ms)
            window = Window(max(0, window.count + amount), window.resets_at_ms)
            txn.put(name, WINDOW.pack(window.resets_at_ms, window.count))
            return window

        return self._file.transact(count, now_ms=now_ms)

    def read_window(self, bucket: bytes, window_ms: int, now_ms: int) -> Window:
        name = b"w" + bounded_name(bucket)

        def read(txn: Txn) -> Window:
            record = txn.get(name)
            window = read_window(record, window_ms, now_ms)
            # Store a window that was shortened: refused requests only read it, and a flood of them
            # must not postpone its end for ever.
            if window.count and record != (
                packed := WINDOW.pack(window.resets_at_ms, window.count)
            ):
                txn.put(name, packed)
            return window

        return self._file.transact(read)

    def clear_window(self, bucket: bytes) -> None:
        name = b"w" + bounded_name(bucket)
        self._file.transact(lambda txn: txn.delete(name))

    def changed_usage(self, limit: int) -> list[UsageRow]:
        # The walk starts where the last one stopped, and wraps around at the end. With a fixed
        # start, busy keys that sort first would be saved again and again, and the others never.
        begin, rows = self._flush_from, list[UsageRow]()
        last = begin
        for after, until in ((begin, b"e"), (b"d", begin + b"\0")):
            if len(rows) < limit:
                found, last = self._walk(after, until, limit - len(rows))
                rows += found
        # Not between the steps: another thread may walk at the same time, and read each row too.
        self._flush_from = last
        return rows

    def changed_usage_of(self, account: bytes) -> list[UsageRow]:
        return self._walk(*lmdb_sweep.marks_of(account), limit=maxsize)[0]

    def _walk(self, after: bytes, until: bytes, limit: int) -> tuple[list[UsageRow], bytes]:
        """The marked rows between two keys, and the last one's mark; in steps."""
        rows: list[UsageRow] = []
        while (step := min(STEP, limit - len(rows))) > 0:
            found, after = self._file.transact(partial(self._read_on, after, until, step))
            rows += found
            if len(found) < step:
                break
        return rows, after

    def _read_on(
        self, after: bytes, until: bytes, limit: int, txn: Txn
    ) -> tuple[list[UsageRow], bytes]:
        return lmdb_sweep.changed_usage(txn, limit, after, until, self._file.source_id)

    def unsaved_use(self, account: bytes, environment: int, key: bytes) -> int | None:
        of_account = account + ENVIRONMENT_BYTES[environment]
        return self._file.transact(lambda txn: lmdb_sweep.unsaved_use(txn, of_account, key))

    def usage_to_seed(self, account: bytes) -> list[UsageRow]:
        return self.changed_usage_of(account)

    def take_over_from(self, account: bytes) -> list[UsageRow]:
        """Forget what this store knows of the account's months, and return its unsaved rows.

        In one step: nothing can be counted here afterwards without asking for the month again, and
        the caller answers that from the other store.
        """

        def take(txn: Txn) -> list[UsageRow]:
            for environment in ENVIRONMENT_BYTES:
                record = txn.get(b"a" + account + environment)
                if record is not None:
                    _turn, ends, used, *_months = _unpack_account(record)
                    txn.put(b"a" + account + environment, _pack_account(0, ends, used, 0, 0, 0, 0))
            return lmdb_sweep.changed_usage_of(txn, account, self._file.source_id)

        return self._file.transact(take)

    def usage_saved(self, rows: Sequence[UsageRow]) -> None:
        for start in range(0, len(rows), STEP):
            step = rows[start : start + STEP]
            self._file.transact(partial(lmdb_sweep.unmark, rows=step, file=self._file))

    def acquire_lease(self, name: bytes, holder: bytes, ttl_ms: int, now_ms: int) -> bool:
        lease_key = b"l" + bounded_name(name)

        def acquire(txn: Txn) -> bool:
            lease = txn.get(lease_key)
            if lease is not None:
                left = LEASE.unpack_from(lease)[0] - now_ms
                if 0 < left <= ttl_ms + SKEW_MS and lease[LEASE.size :] != holder:
                    return False
            return txn.put(lease_key, LEASE.pack(now_ms + ttl_ms) + holder)

        return self._file.transact(acquire, now_ms=now_ms)

    def forget_account(self, account: bytes) -> None:
        def forget(txn: Txn) -> None:
            for environment in ENVIRONMENT_BYTES:
                txn.delete(b"a" + account + environment)

        self._file.transact(forget)

    def prune(self, now_ms: int, keep_days: int = 40) -> bool:
        monotonic_ms = int(self._monotonic() * 1000)

        def sweep(txn: Txn) -> bytes:
            is_steady = lmdb_sweep.is_steady(txn, now_ms, monotonic_ms)
            return lmdb_sweep.sweep(
                txn, self._sweep_from, STEP, now_ms, keep_days, drops_usage=is_steady
            )

        self._sweep_from = self._file.transact(sweep)
        return self._sweep_from != b""

    def begin_turn(self, monotonic_ms: int) -> None:
        """Stand in for another store; months that were seeded in an earlier turn no longer count.

        Between two turns the other store counted, so the months here are too low, and are read from
        the database again. All processes of the host share a turn, since they share the monotonic
        clock. It ends when none of them has called this for `TURN_IDLE_MS`.
        """

        self._file.begin_turn(monotonic_ms, TURN_IDLE_MS)

    def end_turn(self) -> None:
        """End the turn for all processes; each learns of it by `is_turn_over`."""
        self._file.end_turn()

    def is_turn_over(self) -> bool:
        """Whether any process has ended the turn that this process began or joined."""
        return self._file.is_turn_over()

    @property
    def turn_name(self) -> str:
        """The name of this process's turn, unique among all turns of all hosts."""
        return f"{self.source_id}:{self._file.turn}"

    def ping(self) -> None:
        self._file.transact(lambda txn: txn.id())

    def close(self) -> None:
        self._file.close()
