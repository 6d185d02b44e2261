"""Notices a pool whose threads all hang: the poller still runs, so the master cannot notice it."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ragauth.metrics import HUNG, WORKER_DEATHS, board
from ragauth.web.log_writer import log_writer

log = logging.getLogger("ragauth")


class PoolWatch:
    """Knows since when each thread of a worker's pool is at its request."""

    def __init__(self, threads: int, seconds: float) -> None:
        """`seconds` is how long a request may take; no time-out at all where it is 0."""
        self._threads = threads
        self._seconds = seconds
        self._since: dict[int, float] = {}

    @contextmanager
    def request(self) -> Iterator[None]:
        """In a thread of the pool: while it is at a request."""
        me = threading.get_ident()
        self._since[me] = time.monotonic()
        try:
            yield
        finally:
            del self._since[me]

    def must_stop(self) -> bool:
        """Whether every thread has been at its request for too long, so that none is left."""
        if is_hanging := self._is_hanging():
            log.error("a worker hangs and is replaced: no thread has ended its request for long")
        return is_hanging

    def end_if_hanging(self) -> None:
        """End this process at once if so: Python would wait for its threads."""
        if self._is_hanging():
            WORKER_DEATHS.count(HUNG)
            board.end()
            log_writer.stop()
            os._exit(1)

    def _is_hanging(self) -> bool:
        # A copy that no thread can change meanwhile.
        since = list(self._since.values())
        if not self._seconds or len(since) < self._threads:
            return False
        return time.monotonic() - max(since) > self._seconds
