"""Opens, grows and replaces the LMDB file that the processes of one host share."""

import fcntl
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

import lmdb

from ragauth.counters import forks
from ragauth.counters.interface import CountersUnavailable
from ragauth.counters.lmdb_records import LAYOUT, SOURCE_KEY, TURN, TURN_KEY

INITIAL_MAP_BYTES = 16 * 1024 * 1024
MAX_MAP_BYTES = 16 * 1024 * 1024 * 1024
CHECK_EVERY_MS = 1_000

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
    """One process's hold on the shared file; `open`, `check` and `recover` want `lock` to be held.

    The lock is not for speed only: py-lmdb lets other threads run inside a transaction, and the
    map must not move under one.
    """

    def __init__(self, path: Path, map_bytes: int = INITIAL_MAP_BYTES) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.env: lmdb.Environment | None = None
        self.source_id = ""
        self.turn = 0
        self.checked_ms = 0
        self._map_bytes = map_bytes
        self._lock_path = path.with_name(path.name + "-lock")
        self._guard_path = path.with_name(path.name + "-guard")
        self._identity: tuple[int, ...] | None = None
        forks.register(self)

    def before_fork(self) -> None:
        """Close before the fork: an environment must not be used in a child, not even to close."""
        self.lock.acquire()
        self._close()

    def after_fork(self) -> None:
        """Both sides open it again when they need it."""
        self.lock.release()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self.lock:
            self._close()

    def open(self) -> lmdb.Environment:
        """Open the file, or make it; raises `CountersUnavailable`."""
        try:
            with self._guard() as guard:
                self._discard_untrusted(guard)
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

    def transact(
        self, work: Callable[[Txn], Result], *, write: bool = True, now_ms: int | None = None
    ) -> Result:
        """Run `work` in one transaction, and again after the file has grown. Takes the lock."""
        with self.lock:
            if now_ms is None or not 0 <= now_ms - self.checked_ms < CHECK_EVERY_MS:
                self.check(now_ms)
            while True:
                try:
                    with (self.env or self.open()).begin(write=write) as txn:
                        return work(txn)
                except lmdb.Error as error:
                    self.recover(error)

    def begin_turn(self, monotonic_ms: int, idle_ms: int) -> None:
        """Join the turn of standing in which was in use within `idle_ms`, or begin another."""

        def begin(txn: Txn) -> int:
            turn: int
            turn, last_ms = TURN.unpack(txn.get(TURN_KEY, _NO_TURN))
            if turn == 0 or not 0 <= monotonic_ms - last_ms < idle_ms:
                turn += 1
            txn.put(TURN_KEY, TURN.pack(turn, monotonic_ms))
            return turn

        self.turn = self.transact(begin)

    def check(self, now_ms: int | None = None) -> None:
        """Let go of a file that is no longer the one at its path, so that `open` follows."""
        if now_ms is not None:
            self.checked_ms = now_ms
        if self.env is not None and self._identity_on_disk() != self._identity:
            log.warning("the counter file %s was replaced; opening it anew", self.path)
            self._close()

    def recover(self, error: lmdb.Error) -> None:
        """Make a repetition of a failed transaction worthwhile, or raise `CountersUnavailable`."""
        env = self.env
        try:
            if env is not None and isinstance(error, lmdb.MapFullError | lmdb.MapResizedError):
                with self._guard():
                    self._resize(env, grow=isinstance(error, lmdb.MapFullError))
                return
            self._close()
            if isinstance(error, _DAMAGED):
                with self._guard():
                    if self._identity_on_disk() == self._identity:
                        self._discard(error)
        except (lmdb.Error, OSError) as failure:
            raise CountersUnavailable(f"cannot use {self.path}: {failure}") from failure
        raise CountersUnavailable(f"cannot use {self.path}: {error}") from error

    def _close(self) -> None:
        if self.env is not None:
            self.env.close()
            self.env = None

    @contextmanager
    def _guard(self) -> Iterator[int]:
        # One process at a time opens or resizes: LMDB truncates a writable map's file to the
        # opener's own size, so a smaller opener would take pages away from under the others.
        guard = os.open(self._guard_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield guard
        finally:
            os.close(guard)

    def _discard_untrusted(self, guard: int) -> None:
        """Begin anew after a reboot, with another layout, or when one of the files was taken away.

        Nothing is ever synced, so a power cut may leave pages that crash whoever reads them; and a
        new data file under an old lock file (or the reverse) would be corrupted by its first users.
        What is lost is the usage that was not saved yet; the months come back from the database.
        """
        boot = LAYOUT + (_BOOT_ID.read_bytes() if _BOOT_ID.exists() else b"")
        same_boot = os.pread(guard, 100, 0) == boot
        if not same_boot or not (self.path.exists() and self._lock_path.exists()):
            self._unlink()
        if not same_boot:
            os.ftruncate(guard, 0)
            os.pwrite(guard, boot, 0)

    def _discard(self, error: Exception) -> None:
        log.error("the counter file %s is damaged and starts anew: %s", self.path, error)
        self._unlink()

    def _unlink(self) -> None:
        for path in (self.path, self._lock_path):
            with suppress(FileNotFoundError):
                path.unlink()

    def _open_env(self) -> lmdb.Environment:
        size = self.path.stat().st_size if self.path.exists() else 0
        size = max(size, self._map_bytes)
        env = lmdb.open(
            os.fspath(self.path),
            map_size=size,
            subdir=False,
            mode=0o600,
            sync=False,
            writemap=True,
            map_async=True,
            max_readers=512,
        )
        try:
            self._reserve(size)
            env.reader_check()
        except BaseException:
            env.close()
            raise
        return env

    def _reserve(self, size: int) -> None:
        # Without blocks of its own a write to the map on a full disk is a SIGBUS, not an error.
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
            data, lock = self.path.stat(), self._lock_path.stat()
        except FileNotFoundError:
            return None
        return data.st_dev, data.st_ino, lock.st_dev, lock.st_ino
