"""Opens, grows and replaces the LMDB file that the processes of one host share."""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from pathlib import Path
from typing import NoReturn, TypeAlias, TypeVar

import lmdb

from ragauth.counters import forks
from ragauth.counters.interface import CountersUnavailable
from ragauth.counters.lmdb_records import (
    LAYOUT,
    LAYOUT_NUMBER,
    SOURCE_KEY,
    TURN,
    TURN_KEY,
    layout_of,
)
from ragauth.deadlines import CHECK_SECONDS, WouldWait, current_deadline

INITIAL_MAP_BYTES = 16 * 1024 * 1024
MAX_MAP_BYTES = 16 * 1024 * 1024 * 1024
CHECK_EVERY_MS = 1_000

_TAKEN_AT_ONCE = LOCK_EX | LOCK_NB
_TRIES_WITHOUT_SLEEP = 20
_SHORTEST_PAUSE = 0.00005
_LONGEST_PAUSE = 0.001
# The least time of each wait: a running holder needs about a millisecond.
_LEAST_SECONDS = 0.005

Txn: TypeAlias = "lmdb.Transaction[bytes]"
Result = TypeVar("Result")

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NO_TURN = TURN.pack(0, 0)
_DAMAGED = (
    lmdb.CorruptedError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.VersionMismatchError,
)

log = logging.getLogger(__name__)


class LmdbFile:
    """One process's hold on the shared file.

    Two locks are taken for each transaction. `lock` is between threads: py-lmdb lets another thread
    run during a transaction, and the map must not move under it. `flock` on the guard file is
    between processes. LMDB's own lock is switched off. It is a robust mutex: of three processes, if
    one is killed at the moment when it was woken, another may sleep forever although the lock is
    free. The kernel releases a killed process's `flock`.

    A stopped process (SIGSTOP) keeps its `flock`. A thread therefore tries again and again until
    its deadline. After the first such failure each thread tries once only: it learns at once
    whether the file is still held or free again.
    """

    def __init__(self, path: Path, map_bytes: int = INITIAL_MAP_BYTES) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.env: lmdb.Environment | None = None
        self.guard = -1
        self.is_stuck = False
        self.source_id = ""
        self.turn = 0
        self.checked_ms = 0
        self._map_bytes = map_bytes
        self._guard_path = path.with_name(path.name + "-guard")
        self._identity: tuple[int, ...] | None = None
        forks.register(self)

    def before_fork(self) -> None:
        """Close before the fork: an environment must not be used in a child, not even to close."""
        self.lock.acquire()
        self._close()

    def after_fork(self) -> None:
        """Release the lock; parent and child open the file again when they need it."""
        self.lock.release()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self.lock:
            self._close()

    def enter(self, now_ms: int | None = None) -> lmdb.Environment:
        """Take both locks and open the file if needed; `leave` must follow.

        Raises CountersUnavailable if a lock is held by another for too long, or WouldWait in a
        thread that hands slow requests over.
        """
        deadline = 0.0
        if not self.lock.acquire(blocking=False):
            deadline = self._deadline()
            if not self.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                self._give_up()
        try:
            if now_ms is None or not 0 <= now_ms - self.checked_ms < CHECK_EVERY_MS:
                self.check(now_ms)
            if self.guard < 0:
                self.guard = self._open_guard()
            try:
                flock(self.guard, _TAKEN_AT_ONCE)
            except BlockingIOError:
                self._wait_for_processes(deadline)
            self.is_stuck = False
            if self.env is not None:
                return self.env
            try:
                return self._open()
            except BaseException:
                flock(self.guard, LOCK_UN)
                raise
        except BaseException:
            self.lock.release()
            raise

    @property
    def store_name(self) -> str:
        """What tells a reservation in this file from one in another; after the first `enter`."""
        return f"f{self.source_id[:12]}"

    def leave(self) -> None:
        """Release both locks."""
        try:
            flock(self.guard, LOCK_UN)
        finally:
            self.lock.release()

    def transact(self, work: Callable[[Txn], Result], *, now_ms: int | None = None) -> Result:
        """Run `work` in one transaction, and again after the file has grown."""
        while True:
            env = self.enter(now_ms)
            try:
                with env.begin(write=True) as txn:
                    return work(txn)
            except lmdb.Error as error:
                self.recover(error)
            finally:
                self.leave()

    def begin_turn(self, monotonic_ms: int, idle_ms: int) -> None:
        """Join the turn of standing in that was in use within `idle_ms`, or begin a new one."""

        def begin(txn: Txn) -> int:
            turn: int
            turn, last_ms = TURN.unpack(txn.get(TURN_KEY, _NO_TURN))
            if turn == 0 or not 0 <= monotonic_ms - last_ms < idle_ms:
                turn += 1
            txn.put(TURN_KEY, TURN.pack(turn, monotonic_ms))
            return turn

        self.turn = self.transact(begin)

    def end_turn(self) -> None:
        """End this process's turn for all processes, unless a new one was begun meanwhile."""

        def end(txn: Txn) -> None:
            if TURN.unpack(txn.get(TURN_KEY, _NO_TURN))[0] == self.turn:
                txn.put(TURN_KEY, TURN.pack(self.turn + 1, 0))

        self.transact(end)

    def is_turn_over(self) -> bool:
        """Whether this process's turn has ended."""
        turn, last_ms = TURN.unpack(self.transact(lambda txn: txn.get(TURN_KEY, _NO_TURN)))
        return bool(turn != self.turn or last_ms == 0)

    def check(self, now_ms: int | None = None) -> None:
        """Close a file that is no longer the one at its path; the next use opens the new one."""
        if now_ms is not None:
            self.checked_ms = now_ms
        if self.env is not None and self._identity_on_disk() != self._identity:
            log.warning("the counter file %s was replaced; opening the new one", self.path)
            self._close()

    def recover(self, error: lmdb.Error) -> None:
        """Repair the cause of a failed transaction, to repeat it, or raise `CountersUnavailable`.

        The caller holds both locks: no other process may have a transaction open while the file
        grows.
        """
        env = self.env
        try:
            if env is not None and isinstance(error, lmdb.MapFullError | lmdb.MapResizedError):
                self._resize(env, grow=isinstance(error, lmdb.MapFullError))
                return
            self._close_env()
            if isinstance(error, _DAMAGED) and self._identity_on_disk() == self._identity:
                self._discard(error)
        except (lmdb.Error, OSError) as failure:
            raise CountersUnavailable(f"cannot use {self.path}: {failure}") from failure
        raise CountersUnavailable(f"cannot use {self.path}: {error}") from error

    def _deadline(self) -> float:
        if self.is_stuck:
            return 0.0
        deadline = current_deadline.get()
        now = time.monotonic()
        return now + CHECK_SECONDS if deadline is None else max(deadline.at, now + _LEAST_SECONDS)

    def _wait_for_processes(self, deadline: float) -> None:
        deadline = 0.0 if self.is_stuck else deadline or self._deadline()
        pause = _SHORTEST_PAUSE
        tries = 0
        while time.monotonic() < deadline:
            # A transaction takes some 10 µs; a sleep, however short, takes five times as long.
            if tries < _TRIES_WITHOUT_SLEEP:
                tries += 1
                os.sched_yield()
            else:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                flock(self.guard, _TAKEN_AT_ONCE)
            except BlockingIOError:
                continue
            return
        self._give_up()

    def _give_up(self) -> NoReturn:
        deadline = current_deadline.get()
        if deadline is not None and deadline.hands_over and not self.is_stuck:
            raise WouldWait(has_waited=True)
        self.is_stuck = True
        raise CountersUnavailable(f"another process or thread holds {self.path} and does not go on")

    def _close(self) -> None:
        self._close_env()
        if self.guard >= 0:
            os.close(self.guard)
            self.guard = -1

    def _close_env(self) -> None:
        if self.env is not None:
            self.env.close()
            self.env = None

    def _open_guard(self) -> int:
        try:
            return os.open(self._guard_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CountersUnavailable(f"cannot open {self._guard_path}: {error}") from error

    def _open(self) -> lmdb.Environment:
        try:
            self._discard_untrusted()
            try:
                env = self._open_env()
            except _DAMAGED as error:
                self._discard(error)
                env = self._open_env()
            try:
                self._read_identity(env)
            except BaseException:
                env.close()
                raise
        except (lmdb.Error, OSError) as error:
            raise CountersUnavailable(f"cannot open {self.path}: {error}") from error
        self.env = env
        return env

    def _discard_untrusted(self) -> None:
        """Delete the file after a reboot, with an older layout, or if the guard file was lost.

        Nothing is ever synced, so after a power cut the file may have pages that crash their
        reader. With a lost guard file, processes that still lock the deleted one are not kept out
        by ours. Usage that was not saved yet is lost; the months come back from the database.
        """
        found = os.pread(self.guard, 200, 0)
        if layout_of(found) > LAYOUT_NUMBER:
            raise OSError("a newer version of ragauth counts in it; end this older one")
        lifetime = LAYOUT + (_BOOT_ID.read_bytes() if _BOOT_ID.exists() else b"")
        if found != lifetime:
            self.path.unlink(missing_ok=True)
            os.ftruncate(self.guard, 0)
            os.pwrite(self.guard, lifetime, 0)

    def _discard(self, error: Exception) -> None:
        log.error("the counter file %s is damaged and is replaced: %s", self.path, error)
        self.path.unlink(missing_ok=True)

    def _open_env(self) -> lmdb.Environment:
        # LMDB truncates the file of a writable map to the size given here: a smaller size would
        # remove pages that other processes have mapped.
        size = max(self.path.stat().st_size if self.path.exists() else 0, self._map_bytes)
        env = lmdb.open(
            os.fspath(self.path),
            map_size=size,
            subdir=False,
            mode=0o600,
            sync=False,
            writemap=True,
            map_async=True,
            lock=False,
        )
        try:
            self._reserve(size)
        except BaseException:
            env.close()
            raise
        return env

    def _reserve(self, size: int) -> None:
        # Without allocated blocks, a write to the map on a full disk is a SIGBUS, not an error.
        data = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.posix_fallocate(data, 0, size)
        finally:
            os.close(data)

    def _resize(self, env: lmdb.Environment, *, grow: bool) -> None:
        size = self.path.stat().st_size
        if grow and size <= env.info()["map_size"]:
            size *= 2
            if size > MAX_MAP_BYTES:
                raise OSError(f"it would be larger than {MAX_MAP_BYTES} bytes")
            self._reserve(size)
        env.set_mapsize(size)

    def _read_identity(self, env: lmdb.Environment) -> None:
        with env.begin(write=True) as txn:
            source = txn.get(SOURCE_KEY)
            if source is None:
                source = secrets.token_hex(16).encode()
                txn.put(SOURCE_KEY, source)
            self.turn = TURN.unpack(txn.get(TURN_KEY, _NO_TURN))[0]
        self.source_id = source.decode()
        self._identity = self._identity_on_disk()

    def _identity_on_disk(self) -> tuple[int, ...] | None:
        try:
            data, guard = self.path.stat(), self._guard_path.stat()
        except FileNotFoundError:
            return None
        return data.st_dev, data.st_ino, guard.st_dev, guard.st_ino
