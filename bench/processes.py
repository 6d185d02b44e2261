"""What processes have used, as Linux tells it in /proc."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Places in /proc/<pid>/stat, counted from the field after the program's name.
_PARENT, _SESSION = 1, 3
_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = 11, 12, 13, 14


def family(leader: int) -> list[int]:
    """A server's first process and all that come from it.

    Its descendants are found by their parents, those that left their parent by the session: every
    server leads one of its own (`ServerProcess`).
    """
    stats = dict(_all_stats())
    members = {leader} | {pid for pid, stat in stats.items() if int(stat[_SESSION]) == leader}
    while found := {
        pid for pid, stat in stats.items() if int(stat[_PARENT]) in members and pid not in members
    }:
        members |= found
    return sorted(members)


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes, and of their children that have ended."""
    ticks = 0
    for pid in pids:
        try:
            fields = _stat(pid)
        except OSError:
            continue  # its time is its parent's now
        places = (_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM)
        ticks += sum(int(fields[place]) for place in places)
    return ticks / _TICKS_PER_SECOND


def pss_mebibytes(pid: int) -> float:
    """The process's proportional share of memory: what it shares is divided by its sharers."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no Pss")


def _all_stats() -> Iterator[tuple[int, list[str]]]:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            yield int(path.name), _stat(int(path.name))
        except OSError:
            continue  # it has ended


def _stat(pid: int) -> list[str]:
    # The program's name is in parentheses and may contain anything.
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
