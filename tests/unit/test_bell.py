"""The bell that wakes a sender, in one process and in several."""

import os
import time

import pytest

from ragauth.services.outbox.bell import Bell

LONG = 60.0


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_ring_is_heard_once_even_if_nobody_waited(is_shared: bool) -> None:
    bell = Bell()
    if is_shared:
        bell.share()
    for _ in range(3):
        bell.ring()
    bell.wait(LONG)
    assert not is_ringing(bell)


def test_a_shared_one_is_rung_by_a_child_and_never_blocks() -> None:
    bell = Bell()
    bell.share()
    child = os.fork()
    if child == 0:
        # More than a pipe holds.
        for _ in range(70_000):
            bell.ring()
        os._exit(0)
    bell.wait(LONG)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def is_ringing(bell: Bell) -> bool:
    began = time.monotonic()
    bell.wait(0.05)
    return time.monotonic() - began < 0.04
