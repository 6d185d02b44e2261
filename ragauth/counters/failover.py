"""Redis while it answers, else the host's own LMDB file, so that no check fails for lack of Redis.

During an outage each host counts alone, so an account may use a limit once on each host. The usage
of both stores is saved, each under its own source, so nothing is lost or counted twice. The
exception are the charges that each thread has sent when the outage begins, one or those of one
round: Redis may have counted them although its answers did not come in time, and the file counts
them as well.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from sys import maxsize
from typing import TypeVar

from ragauth.counters import forks
from ragauth.counters.interface import (
    Admission,
    Admitted,
    ChangedRow,
    Charge,
    Counters,
    CountersUnavailable,
    NewerCounters,
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
    only,
)
from ragauth.counters.lmdb_store import LmdbCounters
from ragauth.counters.redis_admission import STORE_NAME
from ragauth.counters.redis_store import RedisCounters
from ragauth.deadlines import WouldWait
from ragauth.metrics import REDIS_LOST, STANDING_IN

RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def _put(
    answers: list[Admitted], places: Sequence[int], those: Sequence[Admitted]
) -> list[Admitted]:
    for place, answer in zip(places, those, strict=True):
        answers[place] = answer
    return answers


def _in_a_thread(work: Callable[[], object]) -> None:
    threading.Thread(target=work, name="redis-probe", daemon=True).start()


class FailoverCounters:
    """`Counters` of `primary`, or of `fallback` while that is away."""

    def __init__(
        self,
        primary: RedisCounters,
        fallback: LmdbCounters,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        save: Callable[[Counters], object] = lambda _store: None,
        beside: Callable[[Callable[[], object]], None] = _in_a_thread,
    ) -> None:
        """`monotonic` counts seconds and is the same for all processes of the host.

        `beside` runs the probe that asks whether Redis is back, so that no count waits for it.
        `save` saves what a store has counted; it may raise CountersUnavailable only.
        """
        self._primary = primary
        self._save = save
        self._beside = beside
        self._fallback = fallback
        self._monotonic = monotonic
        self._primary_answers = True
        self._retry_at = 0.0
        self._cause = CountersUnavailable("Redis was not asked yet")
        self._switching = threading.Lock()
        # Never held during a wait.
        self._changing = threading.Lock()
        forks.register(self)

    def before_fork(self) -> None:
        """Do not fork in the middle of a switch: the child would inherit a held lock."""
        self._switching.acquire()

    def after_fork(self) -> None:
        """Release the lock, in the parent and in the child."""
        self._switching.release()

    @property
    def source_id(self) -> str:
        return self._ask(lambda store: store.source_id)

    def admit(self, charge: Charge) -> Admission | None:
        return only(self.admit_all((charge,)))

    def admit_all(self, charges: Sequence[Charge]) -> list[Admitted]:
        answers = self._admit_in_turn(charges, [None] * len(charges), range(len(charges)))
        unknown = [place for place, answer in enumerate(answers) if answer is None]
        if not unknown or self._primary_answers:
            return answers
        try:
            is_over = self._fallback.is_turn_over()
        except (CountersUnavailable, WouldWait) as error:
            return _put(answers, unknown, [error] * len(unknown))
        if not is_over:
            return answers
        # As in `_ask_for_month`.
        self._come_back()
        return self._admit_in_turn(charges, answers, unknown)

    def _admit_in_turn(
        self, charges: Sequence[Charge], answers: list[Admitted], places: Sequence[int]
    ) -> list[Admitted]:
        """Ask for the charges at these places: Redis, and the file for those that Redis lost."""
        if self._is_primary_there():
            _put(answers, places, self._primary.admit_all([charges[place] for place in places]))
            errors = {
                place: answer
                for place in places
                if isinstance(answer := answers[place], CountersUnavailable)
            }
            if not errors:
                return answers
            places = list(errors)
            try:
                self._leave_primary(errors[places[0]])
            except CountersUnavailable as error:
                return _put(answers, places, [error] * len(places))
        return _put(answers, places, self._fallback.admit_all([charges[each] for each in places]))

    def seed_month(self, account: bytes, environment: int, month: int, base_units: int) -> None:
        self._ask(lambda store: store.seed_month(account, environment, month, base_units))

    def seed_tally(
        self, account: bytes, environment: int, tally: Tally, base: int, now_ms: int
    ) -> None:
        self._ask(lambda store: store.seed_tally(account, environment, tally, base, now_ms))

    def shift_tally(
        self, account: bytes, environment: int, tally: Tally, shift: Shift, now_ms: int
    ) -> Shifted | None:
        return self._ask_for_month(
            lambda store: store.shift_tally(account, environment, tally, shift, now_ms)
        )

    def forget_tallies(self, account: bytes, environment: int, tallies: Collection[Tally]) -> None:
        self._fallback.forget_tallies(account, environment, tallies)
        self._ask(lambda store: store.forget_tallies(account, environment, tallies))

    def peek(
        self,
        account: bytes,
        environment: int,
        month: int,
        now_ms: int,
        tallies: tuple[Tally, ...] = (),
    ) -> Peek | None:
        return self._ask_for_month(
            lambda store: store.peek(account, environment, month, now_ms, tallies)
        )

    def report(self, report: Report) -> Reported | None:
        """Count a report, unless this host has counted it, perhaps while Redis was away."""
        if self._fallback.knows_event(report):
            return Reported(True, ())
        return self._ask_for_month(lambda store: store.report(report))

    def settle(
        self, account: bytes, token: bytes, uses: tuple[Use, ...], now_ms: int, store: str
    ) -> Settled:
        """Settle a reservation in the store that made it.

        While Redis is away, one of Redis waits: CountersUnavailable. One of this host's file is
        settled there even after Redis is back; the limits in Redis keep what was reserved.
        """
        if store != STORE_NAME:
            return self._fallback.settle(account, token, uses, now_ms, store)
        if not self._is_primary_there():
            raise CountersUnavailable(str(self._cause), self._cause.state) from self._cause
        try:
            return self._primary.settle(account, token, uses, now_ms, store)
        except CountersUnavailable as error:
            self._leave_primary(error)
            raise

    def hit(self, bucket: bytes, window_ms: int, now_ms: int, amount: int = 1) -> Window:
        return self._ask(lambda store: store.hit(bucket, window_ms, now_ms, amount))

    def take(self, bucket: bytes, window_ms: int, now_ms: int, amount: int, size: int) -> Taken:
        return self._ask(lambda store: store.take(bucket, window_ms, now_ms, amount, size))

    def read_window(self, bucket: bytes, window_ms: int, now_ms: int) -> Window:
        return self._ask(lambda store: store.read_window(bucket, window_ms, now_ms))

    def clear_window(self, bucket: bytes) -> None:
        self._fallback.clear_window(bucket)
        self._ask(lambda store: store.clear_window(bucket))

    def changed_usage(self, limit: int) -> list[ChangedRow]:
        """Return rows of both stores, so that rows of the fallback need not wait for an outage."""
        rows = self._fallback.changed_usage(limit)
        room = limit - len(rows)
        if room and self._is_primary_there():
            try:
                rows += self._primary.changed_usage(room)
            except CountersUnavailable as error:
                self._leave_primary(error)
        return rows

    def changed_usage_of(self, account: bytes, limit: int = maxsize) -> list[ChangedRow]:
        rows = self._fallback.changed_usage_of(account, limit)
        if self._is_primary_there():
            try:
                rows += self._primary.changed_usage_of(account, limit)
            except CountersUnavailable as error:
                self._leave_primary(error)
        return rows

    def unsaved_use(self, account: bytes, environment: int, key: bytes) -> int | None:
        uses = [self._fallback.unsaved_use(account, environment, key)]
        if self._is_primary_there():
            try:
                uses.append(self._primary.unsaved_use(account, environment, key))
            except CountersUnavailable as error:
                self._leave_primary(error)
        return max((use for use in uses if use is not None), default=None)

    def usage_to_seed(self, account: bytes) -> list[ChangedRow]:
        """Return what Redis and this host's file counted and the database may not have yet.

        Afterwards no other process of this host may count more of this month in the file, in case
        it has not noticed that Redis is back. So the file forgets the month, and all other periods,
        in the same step. Such a process must then ask for the month, and so learns that the turn of
        standing in is over.
        """
        if self._is_primary_there():
            rows = self._fallback.take_over_from(account)
            try:
                return rows + self._primary.usage_to_seed(account)
            except CountersUnavailable as error:
                self._leave_primary(error)
        return self._fallback.usage_to_seed(account)

    def usage_saved(self, rows: Sequence[ChangedRow]) -> None:
        """Un-mark rows in the store they came from; rows of Redis stay marked while it is away."""
        own = self._fallback.source_id
        self._fallback.usage_saved([row for row in rows if row.source_id == own])
        others = [row for row in rows if row.source_id != own]
        if others and self._is_primary_there():
            try:
                self._primary.usage_saved(others)
            except CountersUnavailable as error:
                self._leave_primary(error)

    def acquire_lease(self, name: bytes, holder: bytes, ttl_ms: int, now_ms: int) -> bool:
        """Take a lease of this host alone, because each host has usage of its own to save."""
        return self._fallback.acquire_lease(name, holder, ttl_ms, now_ms)

    def forget_account(self, account: bytes) -> None:
        self._fallback.forget_account(account)
        self._ask(lambda store: store.forget_account(account))

    def prune(self, now_ms: int, keep_days: int = 40) -> bool:
        """Prune the file; keys in Redis have their own time to live."""
        return self._fallback.prune(now_ms, keep_days)

    def ping(self) -> None:
        """Raise `CountersUnavailable` while Redis is away, although counting continues."""
        if not self._is_primary_there():
            raise CountersUnavailable(
                f"each host counts alone: {self._cause}", self._cause.state
            ) from self._cause
        try:
            self._primary.ping()
        except CountersUnavailable as error:
            self._leave_primary(error)
            raise

    def close(self) -> None:
        self._primary.close()
        self._fallback.close()

    def _ask(self, question: Callable[[Counters], Result]) -> Result:
        if self._is_primary_there():
            try:
                return question(self._primary)
            except CountersUnavailable as error:
                self._leave_primary(error)
        return question(self._fallback)

    def _ask_for_month(self, question: Callable[[Counters], Result | None]) -> Result | None:
        answer = self._ask(question)
        if answer is not None or self._primary_answers or not self._fallback.is_turn_over():
            return answer
        # Another process of the host has noticed that Redis is back, and has begun this month
        # there.
        self._come_back()
        return self._ask(question)

    def _is_primary_there(self) -> bool:
        if not self._primary_answers and self._monotonic() >= self._retry_at:
            self._retry_at = self._monotonic() + RETRY_SECONDS
            self._beside(self._try_primary)
        return self._primary_answers

    def _leave_primary(self, error: CountersUnavailable) -> None:
        if isinstance(error, NewerCounters):
            # Other hosts, of a newer version, still count in Redis: counting here alone would allow
            # each limit twice.
            raise error
        with self._switching:
            self._retry_at = self._monotonic() + RETRY_SECONDS
            self._cause = error
            if not self._primary_answers:
                return
            # The turn begins before the switch, so that no thread counts on in months that the
            # fallback kept from an earlier outage.
            self._fallback.begin_turn(int(self._monotonic() * 1000))
            self._primary_answers = False
        REDIS_LOST.count()
        STANDING_IN.add(1)
        log.warning("Redis is away, this host counts alone: %s", error)

    def _try_primary(self) -> bool:
        """Ask Redis again, in one thread at a time, once in `RETRY_SECONDS`; others do not wait."""
        if not self._switching.acquire(blocking=False):
            return False
        try:
            if self._primary_answers:
                return True
            self._primary.start_anew()
            self._primary.ping()
            # In Redis each month begins anew at the units in the database, so save first. Save
            # again afterwards, because others have counted in the meantime.
            self._save_both()
            self._primary.resume(self._fallback.turn_name)
            self._save_both()
            self._fallback.end_turn()
            self._come_back()
        except NewerCounters:
            raise
        except CountersUnavailable as error:
            # Expected while the outage lasts; it was logged when it began.
            self._cause = error
            self._retry_at = self._monotonic() + RETRY_SECONDS
            self._stay_in_turn()
            return False
        finally:
            self._switching.release()
        return True

    def _save_both(self) -> None:
        for store in (self._fallback, self._primary):
            self._save(store)

    def _come_back(self) -> None:
        """Count in Redis again; the process that ended the turn has done what must come before."""
        with self._changing:
            if self._primary_answers:
                return
            self._primary.start_anew()
            self._primary_answers = True
        STANDING_IN.add(-1)
        log.warning("Redis is back, counting there again")

    def _stay_in_turn(self) -> None:
        try:
            self._fallback.begin_turn(int(self._monotonic() * 1000))
        except CountersUnavailable as error:
            log.warning("the counter file should stand in for Redis, but it fails: %s", error)
