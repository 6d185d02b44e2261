"""How the CPU time of some work grows with the length of a text."""

import time
from collections.abc import Callable

SMALL = 1_000
LARGER = (4_000, 16_000, 64_000)
# So many times the text may cost so many times the time, and more than twice that: what is left is
# for a busy machine. What is quadratic is far above it from 16 KB on.
_TOLERANCE = 2.5

# Makes the work for a text of so many characters ready; what it gives is timed.
Prepare = Callable[[int], Callable[[], object]]


def cpu_seconds(prepare: Prepare, length: int, *, rounds: int = 1) -> float:
    """The least of some rounds, of all threads of the process; whatever else runs adds nothing."""
    times = []
    for _ in range(rounds):
        work = prepare(length)
        began_at = time.process_time()
        work()
        times.append(time.process_time() - began_at)
    return min(times)


def assert_linear(prepare: Prepare, *, floor_seconds: float) -> None:
    """Up to 64 KB cost in proportion to what 1 KB costs; what costs less than the floor is fine."""
    for length in LARGER:
        large = cpu_seconds(prepare, length)
        if large > floor_seconds:
            small = cpu_seconds(prepare, SMALL, rounds=5)
            most = floor_seconds + _TOLERANCE * length / SMALL * small
            assert min(large, cpu_seconds(prepare, length)) <= most, (length, small, large)


def repeated(unit: str, length: int) -> str:
    """A text of nothing but the unit, of at most so many bytes in UTF-8."""
    return unit * (length // len(unit.encode()))
