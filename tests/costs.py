"""How the CPU time of some work grows with the length of a text."""

import time
from collections.abc import Callable
from itertools import pairwise

# Four times the text costs four times the time where that is linear, sixteen times where it is
# quadratic.
_MOST_GROWTH = 9

# Makes the work for a text of so many characters ready; what it gives is timed.
Prepare = Callable[[int], Callable[[], object]]


def cpu_seconds(prepare: Prepare, length: int, *, rounds: int = 1) -> float:
    """The least of some rounds, of this thread alone; whatever else runs adds nothing."""
    times = []
    for _ in range(rounds):
        work = prepare(length)
        began_at = time.thread_time()
        work()
        times.append(time.thread_time() - began_at)
    return min(times)


def assert_linear(
    prepare: Prepare, *, floor_seconds: float, first_length: int, lengths: tuple[int, ...]
) -> None:
    """Each length costs in proportion to what the one before it, a quarter of it, costs.

    Most texts cost less than the floor at the first length. That is enough, if the floor is below
    what such a text would cost where that is quadratic.
    """
    if cpu_seconds(prepare, first_length) <= floor_seconds:
        return
    for shorter, longer in pairwise(lengths):
        large = cpu_seconds(prepare, longer)
        if large > floor_seconds:
            small = cpu_seconds(prepare, shorter, rounds=2)
            if large > floor_seconds + _MOST_GROWTH * small:
                large = min(large, cpu_seconds(prepare, longer, rounds=2))
            assert large <= floor_seconds + _MOST_GROWTH * small, (longer, small, large)


def repeated(unit: str, length: int) -> str:
    """A text of nothing but the unit, of at most so many bytes in UTF-8."""
    return unit * (length // len(unit.encode()))
