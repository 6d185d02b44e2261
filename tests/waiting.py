"""Waiting for what another process does in its own time."""

import os
import time
from collections.abc import Callable
from pathlib import Path

_SECONDS = 30


def wait_until(reached: Callable[[], object], *, every_seconds: float = 0.02) -> None:
    """Ask again and again; fails when it takes half a minute, longer on a busy machine.

    An answer that takes a server a while, as its metrics do, is asked for less often.
    """
    deadline = time.monotonic() + _SECONDS * slowness()
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(every_seconds)


def slowness() -> float:
    """How many processes share a core just now, at least 1: what is in time takes so much longer.

    A bound of wall-clock time is a promise of a machine that has nothing else to do.
    """
    # What ran in the last minute, and what runs at this moment.
    load, _, _, running, *_ = Path("/proc/loadavg").read_text().replace("/", " ").split()
    return max(1.0, max(float(load), float(running)) / (os.cpu_count() or 1))
