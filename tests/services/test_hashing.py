"""The hashing gate: a flood of logins finds no place and is told so, without a wait."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ragauth.errors import RateLimitExceeded
from ragauth.services.hashing import PLACES, HashingGate


class SlowHash:
    """Work that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.may_end.wait(10)
        return threading.current_thread().name


def test_the_result_comes_from_a_thread_that_yields_to_others() -> None:
    """S10: a hash yields to what checks keys."""

    def where() -> tuple[str, int]:
        priority = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return threading.current_thread().name, priority

    name, priority = HashingGate().run(where)
    assert name.startswith("hashing")
    assert priority > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_what_finds_no_place_is_refused_at_once_and_told_when_to_come_back() -> None:
    """S10: hashing has bounded places."""
    gate = HashingGate()
    slow = SlowHash()
    with ThreadPoolExecutor(PLACES) as logins:
        waiting = [logins.submit(gate.run, slow) for _ in range(PLACES)]
        assert slow.begun.wait(10)
        while gate.free_places:
            os.sched_yield()
        with pytest.raises(RateLimitExceeded) as refusal:
            gate.run(lambda: pytest.fail("a login too many was hashed"))
        assert refusal.value.headers["Retry-After"] == "1"
        slow.may_end.set()
        assert len({login.result(10) for login in waiting}) == 1
    assert gate.run(lambda: "room again") == "room again"


def test_a_failing_hash_gives_its_place_back() -> None:
    gate = HashingGate(places=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            gate.run(lambda: 1 // 0)
    assert gate.free_places == 1


def test_a_child_process_has_places_and_a_thread_of_its_own() -> None:
    gate = HashingGate(places=1)
    gate.run(lambda: None)
    child = os.fork()
    if child == 0:
        os._exit(0 if gate.run(lambda: 7) == 7 else 1)
    assert os.waitpid(child, 0)[1] == 0
