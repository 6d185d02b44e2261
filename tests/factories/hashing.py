"""Hashes that take their time, to fill the places of a gate."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from ragauth.services.hashing import HashingGate, Share

_SECONDS = 10
_ALL = 1_000


class SlowHashes:
    """Hashes in a gate, in the order in which they were added; each lasts until it is let go."""

    def __init__(self, gate: HashingGate, threads: ThreadPoolExecutor) -> None:
        self._gate = gate
        self._threads = threads
        self._may_end = threading.Semaphore(0)
        self.hashed: list[Share] = []

    def add(self, share: Share) -> Future[None]:
        """One more; returns when it has its place or was refused."""
        has_begun = threading.Event()

        def work() -> None:
            has_begun.set()
            assert self._may_end.acquire(timeout=_SECONDS)
            self.hashed.append(share)

        added = self._threads.submit(self._gate.run, work, share)
        while not (
            added.done() or has_begun.is_set() or work in [e.work for e in self._gate._line]
        ):
            os.sched_yield()
        return added

    def end_one(self) -> None:
        """The present one ends; returns when the next one is hashed."""
        waiting = len(self._gate._line)
        self._may_end.release()
        while len(self._gate._line) == waiting:
            os.sched_yield()

    def end_all(self) -> None:
        """Those that are hashed, and those that will be."""
        self._may_end.release(_ALL)


@contextmanager
def slow_hashes(gate: HashingGate, *shares: Share) -> Iterator[SlowHashes]:
    """These shares hold places, the first of them is hashed; all end with the block."""
    with ThreadPoolExecutor(32) as threads:
        hashes = SlowHashes(gate, threads)
        try:
            for share in shares:
                hashes.add(share)
            yield hashes
        finally:
            hashes.end_all()
