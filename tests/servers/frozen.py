"""Processes that are stopped for a while, as a live migration does it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Stop the processes, and let them go on at the end of the block, however it ends."""
    try:
        for pid in pids:
            _send(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            _send(pid, signal.SIGCONT)


def _send(pid: int, number: signal.Signals) -> None:
    # It may have ended, or been killed.
    with suppress(ProcessLookupError):
        os.kill(pid, number)
