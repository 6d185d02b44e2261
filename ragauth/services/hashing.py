"""Where passwords are hashed: one thread of low priority a process, with few places to wait.

bcrypt gives up the GIL, so a flood of logins would take every core and every thread of the
process. It gets one thread that yields to what checks keys, and what finds no place is told so at
once.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ragauth.errors import TooManyHashes
from ragauth.metrics import HASHES, HASHES_REFUSED, HASHING_PLACES_TAKEN

T = TypeVar("T")

# One is hashed while two wait: at cost 12 a wait of half a second at most.
PLACES = 3
# Lower than what checks keys, but not by much: between two hashes the thread holds the GIL, and one
# of the lowest priority (19) kept a process with busy cores waiting for it for seconds.
_NICENESS = 5


class HashingGate:
    """Runs slow hashes one after another. Safe for threads and across a fork."""

    def __init__(self, places: int = PLACES) -> None:
        self.places = places
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._taken = 0
        self._executor: ThreadPoolExecutor | None = None

    @property
    def free_places(self) -> int:
        return self.places - self._taken

    def run(self, work: Callable[[], T]) -> T:
        """The result of `work`; raises TooManyHashes at once when every place is taken."""
        began_at = time.perf_counter()
        executor = self._take_place()
        HASHING_PLACES_TAKEN.add(1)
        try:
            return executor.submit(work).result()
        finally:
            with self._lock:
                self._taken -= 1
            HASHING_PLACES_TAKEN.add(-1)
            HASHES.observe(time.perf_counter() - began_at)

    def _take_place(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None or self._pid != os.getpid():
                # Threads do not survive a fork; the parent's places are not this process's.
                self._executor = ThreadPoolExecutor(1, "hashing", initializer=_yield_to_checks)
                self._pid = os.getpid()
                self._taken = 0
            if self._taken == self.places:
                HASHES_REFUSED.count()
                raise TooManyHashes
            self._taken += 1
            return self._executor


def _yield_to_checks() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


hashing_gate = HashingGate()
