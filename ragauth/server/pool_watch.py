"""Detects a pool whose threads all hang. The master cannot: it only sees that the poller runs."""

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
    """Knows since when each thread of a worker's pool works on its request."""

    def __init__(self, threads: int, seconds: float) -> None:
        """`seconds` is how long a request may take; 0 means without a limit."""
        self._threads = threads
        self._seconds = seconds
        self._since: dict[int, float] = {}

    @contextmanager
    def request(self) -> Iterator[None]:
        """Mark this thread of the pool as working on a request during the block."""
        me = threading.get_ident()
        self._since[me] = time.monotonic()
        try:
            yield
        finally:
            del self._since[me]

    def must_stop(self) -> bool:
        """Whether every thread has worked on its request for too long, so that none is free."""
        if is_hanging := self._is_hanging():
            log.error("a worker hangs and is replaced: all its threads are stuck")
        return is_hanging

    def end_if_hanging(self) -> None:
        """End this process at once if all threads hang: a normal exit would wait for them."""
        if self._is_hanging():
            WORKER_DEATHS.count(HUNG)
            board.end()
            log_writer.stop()
            os._exit(1)

    def _is_hanging(self) -> bool:
        # A copy, because the threads change the dict meanwhile.
        since = list(self._since.values())
        if not self._seconds or len(since) < self._threads:
            return False
        return time.monotonic() - max(since) > self._seconds
