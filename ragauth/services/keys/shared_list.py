"""GitHub's list of keys, as the processes of one service share it: what one fetched, all know."""

import fcntl
import json
import os
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_LOOK_EVERY_SECONDS = 0.01


class Fetched(NamedTuple):
    """When the list was last asked for, when it was last read, and what it was then.

    Times are those of the system's monotonic clock, which its processes have in common.
    """

    asked_at: float
    has_failed: bool
    read_at: float
    listed: str


class SharedList:
    """A file without a name. It is made before the workers are forked, so that all of them have it,
    and it goes with the last of them.

    Processes that were started apart share nothing: each of them asks for itself.
    """

    def __init__(self) -> None:
        self._file = _open_nameless()
        weakref.finalize(self, os.close, self._file)

    @contextmanager
    def held(self, *, longest_seconds: float) -> Iterator[None]:
        """Keep other processes out; for one thread of a process at a time.

        Raises TimeoutError if another process keeps this one out for so long: it may be stopped.
        The system releases the lock of a process that is killed.
        """
        ends_at = time.monotonic() + longest_seconds
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > ends_at:
                    raise TimeoutError from None
                time.sleep(_LOOK_EVERY_SECONDS)
            else:
                break
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def read(self) -> Fetched | None:
        """What was fetched last; None if nothing was, or if its writer was killed."""
        try:
            return Fetched(*json.loads(os.pread(self._file, os.fstat(self._file).st_size, 0)))
        except (ValueError, TypeError):
            return None

    def write(self, fetched: Fetched) -> None:
        """Replace what was fetched."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(fetched).encode(), 0)


def _open_nameless() -> int:
    if hasattr(os, "memfd_create"):
        # In memory: neither a full disk nor a read-only one is in the way.
        return os.memfd_create("github-keys")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
