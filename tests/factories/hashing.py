"""Hashes that take their time, to fill the places of a gate."""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar
from unittest.mock import patch

from ragauth.errors import TooManyHashes
from ragauth.services.accounts.hashing_gate import (
    PLACES,
    HashingGate,
    Share,
    hashing_gate,
    share_of,
)

T = TypeVar("T")

#: Who holds every place of the process in a flood of these tests.
FLOOD = share_of("198.51.100.1", "greedy@example.com")

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
        """One more; returns when it is hashed, waits behind others or was refused."""
        has_begun = threading.Event()

        def work() -> None:
            has_begun.set()
            assert self._may_end.acquire(timeout=_SECONDS)
            self.hashed.append(share)

        is_next = self._gate._taken == 0
        added = self._threads.submit(self._gate.run, work, share)
        while not (added.done() or has_begun.is_set()):
            if not is_next and work in [entry.work for entry in self._gate._line]:
                break
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


@contextmanager
def hashes_in_the_thread_that_asks() -> Iterator[None]:
    """So that the CPU time of that thread is all that an answer costs, with its hash."""

    def run(gate: HashingGate, work: Callable[[], T], share: Share) -> T:
        return work()

    with patch.object(HashingGate, "run", run):
        yield


def cpu_of_alternating(*asks: Callable[[int], object], times: int = 40) -> list[float]:
    """The median of the CPU seconds that each way to ask took of this thread.

    They ask in turn, each with the number of its turn. Neither another thread nor another process
    adds to it.
    """
    samples: list[list[float]] = [[] for _ in asks]
    with hashes_in_the_thread_that_asks():
        for turn in range(times):
            for ask, sample in zip(asks, samples, strict=True):
                began = time.thread_time()
                ask(turn)
                sample.append(time.thread_time() - began)
    return [statistics.median(sample) for sample in samples]


def ask_beside_flood(ask: Callable[[], T]) -> T:
    """The answer to what takes a place of a flood that holds them all."""
    with slow_hashes(hashing_gate, FLOOD) as hashes, ThreadPoolExecutor(1) as thread:
        flood = [hashes.add(FLOOD) for _ in range(PLACES - 1)]
        answer = thread.submit(ask)
        [first] = wait([*flood, answer], _SECONDS, FIRST_COMPLETED).done
        assert first is not answer, "it was refused at once"
        assert isinstance(first.exception(), TooManyHashes)
        hashes.end_all()
        return answer.result(_SECONDS)
