"""Those who wait for the same at the same moment share an answer; nobody gets an old one."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ragauth.web.shared_answer import SharedAnswer
from tests.waiting import wait_until

_CALLERS = 8


def _waiting() -> int:
    """How many threads wait for the lock of a shared answer."""
    code = SharedAnswer.__call__.__code__
    return sum(frame.f_code is code for frame in sys._current_frames().values())


def test_who_comes_while_one_is_made_shares_the_next_one() -> None:
    goes_on = threading.Event()
    made: list[int] = []

    def make() -> int:
        made.append(len(made) + 1)
        assert goes_on.wait(60)
        return made[-1]

    shared = SharedAnswer(make)
    with ThreadPoolExecutor(1 + _CALLERS) as pool:
        first = pool.submit(shared)
        wait_until(lambda: bool(made))
        others = [pool.submit(shared) for _ in range(_CALLERS)]
        wait_until(lambda: _waiting() == _CALLERS)
        assert not any(other.done() for other in others)
        goes_on.set()
        assert first.result() == 1
        assert {other.result() for other in others} == {2}
    assert made == [1, 2]


def test_one_after_another_each_gets_a_new_one() -> None:
    numbers = iter(range(10))
    shared = SharedAnswer(lambda: next(numbers))
    assert [shared(), shared(), shared()] == [0, 1, 2]


def test_an_error_is_nobody_elses() -> None:
    answers = iter([None, "an answer"])

    def make() -> str:
        answer = next(answers)
        if answer is None:
            raise ValueError("nothing yet")
        return answer

    shared = SharedAnswer(make)
    with pytest.raises(ValueError, match="nothing yet"):
        shared()
    assert shared() == "an answer"
