"""Waiting for what another process does in its own time."""

import time
from collections.abc import Callable

_SECONDS = 15


def wait_until(reached: Callable[[], object]) -> None:
    """Ask again and again; fails when it takes a quarter of a minute."""
    deadline = time.monotonic() + _SECONDS
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)
