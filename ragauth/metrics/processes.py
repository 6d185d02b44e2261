"""What the service's processes consume, on Linux."""

import os
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
# Fields of /proc/<pid>/stat (proc(5)), counted from the state that follows the program's name.
_PARENT, _USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM, _STARTED = 1, 11, 12, 13, 14, 19


class Consumption(NamedTuple):
    """The sum over all processes; the CPU time of dead workers is still in it."""

    cpu_seconds: float
    memory_bytes: int
    open_files: int
    started_at: float


def consumption(workers: Sequence[int]) -> Consumption | None:
    """The consumption of these workers and their master; without workers, of this process."""
    try:
        return _consumption(workers)
    except (OSError, ValueError, IndexError):
        # Not Linux, or a worker that ended just now; then the next scrape is right.
        return None


def _consumption(workers: Sequence[int]) -> Consumption:
    masters = {int(_stat(pid)[_PARENT]) for pid in workers} or {os.getpid()}
    ticks = os.sysconf("SC_CLK_TCK")
    cpu = 0
    for pid in masters:
        # The CPU time of a dead worker moves to these fields when the master reaps it, so the sum
        # never decreases.
        cpu += sum(int(_stat(pid)[field]) for field in (_CHILDREN_USER, _CHILDREN_SYSTEM))
    everybody = [*masters, *workers]
    for pid in everybody:
        cpu += sum(int(_stat(pid)[field]) for field in (_USER, _SYSTEM))
    booted_at = next(
        int(line.split()[1])
        for line in (_PROC / "stat").read_text().splitlines()
        if line.startswith("btime ")
    )
    started = min(int(_stat(pid)[_STARTED]) for pid in masters)
    return Consumption(
        cpu_seconds=cpu / ticks,
        memory_bytes=sum(map(_memory, everybody)),
        open_files=sum(len(os.listdir(_PROC / str(pid) / "fd")) for pid in everybody),
        started_at=booted_at + started / ticks,
    )


def _stat(pid: int) -> list[str]:
    # The program's name is in parentheses and may contain anything.
    return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()


def _memory(pid: int) -> int:
    """A process's memory in bytes (PSS): shared pages in proportion, so that a sum is right.

    Cached for a second, because the kernel walks through all of the process's pages for it.
    """
    return _memory_at(pid, int(time.monotonic()))


@lru_cache(maxsize=256)
def _memory_at(pid: int, _second: int) -> int:
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no Pss")
