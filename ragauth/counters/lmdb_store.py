"""Counters of one host: one LMDB write transaction for each decision."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from sys import maxsize

from ragauth import clock
from ragauth.counters import (
    lmdb_reservations,
    lmdb_sweep,
    lmdb_tallies,
    lmdb_usage,
    lmdb_windows,
)
from ragauth.counters.interface import (
    MINUTE_MS,
    SKEW_MS,
    Admission,
    Admitted,
    ChangedRow,
    Charge,
    CountersUnavailable,
    Peek,
    Report,
    Reported,
    Settled,
    Shift,
    Shifted,
    Taken,
    Tally,
    Use,
    Window,
    bounded_name,
    only,
)
from ragauth.counters.lmdb_admission import admit
from ragauth.counters.lmdb_file import INITIAL_MAP_BYTES, LmdbFile, Txn
from ragauth.counters.lmdb_records import (
    ACCOUNT,
    DAY,
    ENVIRONMENT_BYTES,
    LEASE,
    USAGE,
)
from ragauth.counters.lmdb_usage import STEP, WaitingUsage
from ragauth.counters.periods import settle_window
from ragauth.deadlines import WouldWait

TURN_IDLE_MS = 10_000
_STEPS_OF_ENDED = 40

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
        self._waiting = WaitingUsage(self._file)

    @property
    def source_id(self) -> str:
        self.ping()
        return self._file.source_id

    def admit(self, charge: Charge) -> Admission | None:
        return only(self.admit_all((charge,)))

    def admit_all(self, charges: Sequence[Charge]) -> list[Admitted]:
        file = self._file
        try:
            return file.transact(
                lambda txn: [admit(txn, charge, file) for charge in charges],
                now_ms=charges[0].now_ms,
            )
        except (CountersUnavailable, WouldWait) as error:
            return [error] * len(charges)
        except Exception as error:
            if len(charges) == 1:
                return [error]
        # A damaged record has ended the transaction, so nothing was counted. Only its own charge
        # may fail.
        return [self.admit_all((charge,))[0] for charge in charges]

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

    def seed_tally(
        self, account: bytes, environment: int, tally: Tally, base: int, now_ms: int
    ) -> None:
        of_account = account + ENVIRONMENT_BYTES[environment]

        def seed(txn: Txn) -> None:
            # A higher number: another process has begun a turn that this one has not noticed yet.
            self._file.turn = lmdb_tallies.seed(
                txn, of_account, tally, base, self._file.turn, now_ms
            )

        self._file.transact(seed)

    def shift_tally(
        self, account: bytes, environment: int, tally: Tally, shift: Shift, now_ms: int
    ) -> Shifted | None:
        of_account = account + ENVIRONMENT_BYTES[environment]
        return self._file.transact(
            lambda txn: lmdb_tallies.shift(txn, of_account, tally, shift, self._file.turn, now_ms),
            now_ms=now_ms,
        )

    def forget_tallies(self, account: bytes, environment: int, tallies: Collection[Tally]) -> None:
        of_account = account + ENVIRONMENT_BYTES[environment]
        self._file.transact(partial(lmdb_tallies.drop, of_account=of_account, tallies=tallies))

    def peek(
        self,
        account: bytes,
        environment: int,
        month: int,
        now_ms: int,
        tallies: tuple[Tally, ...] = (),
    ) -> Peek | None:
        of_account = account + ENVIRONMENT_BYTES[environment]

        def read(txn: Txn) -> Peek | None:
            record = txn.get(b"a" + of_account)
            if record is None:
                return None
            turn, ends, used, newest, newest_units, older, older_units = _unpack_account(record)
            if turn != self._file.turn or month not in (newest, older):
                return None
            found = lmdb_tallies.look_up(txn, of_account, tallies, turn, now_ms)
            if found is None:
                return None
            ends, used = settle_window(ends, used, MINUTE_MS, now_ms)
            units = newest_units if month == newest else older_units
            return Peek(used, ends, units, lmdb_tallies.as_they_stand(found))

        return self._file.transact(read, now_ms=now_ms)

    def report(self, report: Report) -> Reported | None:
        of_account = report.account + ENVIRONMENT_BYTES[report.environment]

        def count(txn: Txn) -> Reported | None:
            if lmdb_reservations.is_known(txn, report):
                return Reported(True, ())
            turn, now_ms = self._file.turn, report.now_ms
            found = lmdb_tallies.look_up(txn, of_account, report.tallies, turn, now_ms)
            if found is None:
                return None
            return Reported(False, lmdb_reservations.count_report(txn, report, found, turn))

        return self._file.transact(count, now_ms=report.now_ms)

    def knows_event(self, report: Report) -> bool:
        """Whether a report with this event was counted here."""
        return self._file.transact(lambda txn: lmdb_reservations.is_known(txn, report))

    def settle(
        self, account: bytes, token: bytes, uses: tuple[Use, ...], now_ms: int, store: str
    ) -> Settled:
        def settle(txn: Txn) -> Settled:
            if store != self._file.store_name:
                return Settled("unknown")
            return lmdb_reservations.settle(txn, account, token, uses, now_ms, self._file.turn)

        return self._file.transact(settle, now_ms=now_ms)

    def hit(self, bucket: bytes, window_ms: int, now_ms: int, amount: int = 1) -> Window:
        hit = partial(lmdb_windows.hit, bucket=bucket, window_ms=window_ms, now_ms=now_ms)
        return self._file.transact(partial(hit, amount=amount), now_ms=now_ms)

    def take(self, bucket: bytes, window_ms: int, now_ms: int, amount: int, size: int) -> Taken:
        take = partial(lmdb_windows.take, bucket=bucket, window_ms=window_ms, now_ms=now_ms)
        return self._file.transact(partial(take, amount=amount, size=size), now_ms=now_ms)

    def read_window(self, bucket: bytes, window_ms: int, now_ms: int) -> Window:
        read = partial(lmdb_windows.read, bucket=bucket, window_ms=window_ms, now_ms=now_ms)
        return self._file.transact(read)

    def clear_window(self, bucket: bytes) -> None:
        self._file.transact(partial(lmdb_windows.clear, bucket=bucket))

    def changed_usage(self, limit: int) -> list[ChangedRow]:
        return self._waiting.changed(limit)

    def changed_usage_of(self, account: bytes, limit: int = maxsize) -> list[ChangedRow]:
        return self._waiting.changed_of(account, limit)

    def unsaved_use(self, account: bytes, environment: int, key: bytes) -> int | None:
        of_account = account + ENVIRONMENT_BYTES[environment]
        return self._file.transact(lambda txn: lmdb_usage.unsaved_use(txn, of_account, key))

    def usage_to_seed(self, account: bytes) -> list[ChangedRow]:
        return self.changed_usage_of(account)

    def take_over_from(self, account: bytes) -> list[ChangedRow]:
        """Forget the account's months and other periods, and return its unsaved rows.

        In one step: nothing can be counted here afterwards without asking for the month again, and
        the caller answers that from the other store.
        """

        def take(txn: Txn) -> list[ChangedRow]:
            for environment in ENVIRONMENT_BYTES:
                record = txn.get(b"a" + account + environment)
                if record is not None:
                    _turn, ends, used, *_months = _unpack_account(record)
                    txn.put(b"a" + account + environment, _pack_account(0, ends, used, 0, 0, 0, 0))
            lmdb_tallies.forget(txn, b"p" + account)
            return lmdb_usage.changed_of(txn, account, self._file.source_id)

        return self._file.transact(take)

    def usage_saved(self, rows: Sequence[ChangedRow]) -> None:
        self._waiting.saved(rows)

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
        for tag in (b"p", b"q", b"y"):
            some = partial(lmdb_tallies.forget, begins=tag + account, limit=STEP)
            while self._file.transact(some) == STEP:
                pass

    def prune(self, now_ms: int, keep_days: int = 40) -> bool:
        monotonic_ms = int(self._monotonic() * 1000)

        def sweep(txn: Txn) -> tuple[bool, bytes]:
            is_steady = lmdb_sweep.is_steady(txn, now_ms, monotonic_ms)
            return is_steady, lmdb_sweep.sweep(
                txn, self._sweep_from, STEP, now_ms, keep_days, drops_usage=is_steady
            )

        is_steady, self._sweep_from = self._file.transact(sweep)
        # Events may come by the thousand, so more of them end between two calls than a sweep sees.
        drop_some = partial(lmdb_reservations.drop_ended, now_ms=now_ms, limit=STEP)
        steps = 0
        while is_steady and steps < _STEPS_OF_ENDED and self._file.transact(drop_some) == STEP:
            steps += 1
        return self._sweep_from != b"" or steps == _STEPS_OF_ENDED

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
