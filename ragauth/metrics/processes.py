"""What the service's processes consume, on Linux."""

import os
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

# Fields of /proc/<pid>/stat (proc(5)), counted from the state that follows the program's name.
_PARENT, _USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM, _STARTED = 1, 11, 12, 13, 14, 19


class Consumption(NamedTuple):
    """The sum over all processes; the CPU time of dead workers is still in it."""

    cpu_seconds: float
    memory_bytes: int
    open_files: int
    started_at: float


def consumption(workers: Sequence[int]) -> Consumption | None:
    """The consumption of these workers and their master; without workers, of this process.

    Cached for a second, because the kernel walks through all pages of each process for it. A worker
    that has ended is left out.
    """
    living = tuple(pid for pid in workers if os.path.exists(f"/proc/{pid}"))
    try:
        return _consumption(living, int(time.monotonic()))
    except (OSError, ValueError, IndexError):
        # Not Linux, or a worker that ended at this moment; then the next scrape is right.
        return None


@lru_cache(maxsize=1)
def _consumption(workers: tuple[int, ...], _second: int) -> Consumption:
    of_workers = list(map(_stat, workers))
    pids_of_masters = {int(stat[_PARENT]) for stat in of_workers} or {os.getpid()}
    of_masters = list(map(_stat, pids_of_masters))
    ticks = os.sysconf("SC_CLK_TCK")
    # The CPU time of a dead worker moves to its master's fields of children when the master reaps
    # it, so the sum never decreases.
    cpu = _sum(of_masters, _CHILDREN_USER, _CHILDREN_SYSTEM)
    cpu += _sum([*of_masters, *of_workers], _USER, _SYSTEM)
    everybody = [*pids_of_masters, *workers]
    return Consumption(
        cpu_seconds=cpu / ticks,
        memory_bytes=sum(map(_memory, everybody)),
        open_files=sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in everybody),
        started_at=_booted_at() + min(int(stat[_STARTED]) for stat in of_masters) / ticks,
    )


def _sum(stats: Iterable[list[bytes]], *fields: int) -> int:
    return sum(int(stat[field]) for stat in stats for field in fields)


def _booted_at() -> int:
    for line in _read("/proc/stat").splitlines():
        if line.startswith(b"btime "):
            return int(line.split()[1])
    raise ValueError("no btime")


def _stat(pid: int) -> list[bytes]:
    # The program's name is in parentheses and may contain anything.
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _memory(pid: int) -> int:
    """A process's memory in bytes (PSS): shared pages in proportion, so that a sum is right."""
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no Pss")
