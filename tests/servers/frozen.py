"""Processes that are stopped for a while, as a live migration does it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import wait_until


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Stop the processes, and let them go on at the end of the block, however it ends.

    In the block they stand still: a process that runs may do a little more after the signal.
    """
    try:
        for pid in pids:
            _send(pid, signal.SIGSTOP)
        wait_until(lambda: all(map(_stands_still, pids)), every_seconds=0.001)
        yield
    finally:
        for pid in pids:
            _send(pid, signal.SIGCONT)


def _stands_still(pid: int) -> bool:
    try:
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):
        # It has ended, or one of its threads has.
        return False
    states = {line.rpartition(")")[2].split()[0] for line in threads}
    return states <= {"T", "t", "Z", "X"}


def _send(pid: int, number: signal.Signals) -> None:
    # It may have ended, or been killed.
    with suppress(ProcessLookupError):
        os.kill(pid, number)
