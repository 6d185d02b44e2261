"""What processes have used, as Linux tells it in /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

import psycopg

from tests.servers.gunicorn import GunicornServer

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Places in /proc/<pid>/stat, counted from the field after the program's name.
_PARENT, _USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = 1, 11, 12, 13, 14


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


def of_gunicorn(server: GunicornServer) -> list[int]:
    """The master and its workers."""
    return [server.pid, *server.worker_pids()]


def of_postgres(url: str) -> list[int]:
    """The server's first process and those that it started; none when it is another host's."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        pid = row[0] if row else 0
        try:
            master = int(_stat(pid)[_PARENT])
        except OSError:
            return []
    found = [master]
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int(_stat(int(path.name))[_PARENT]) == master:
                found.append(int(path.name))
        except OSError:
            continue
    return found


def _stat(pid: int) -> list[str]:
    # The program's name is in parentheses and may contain anything.
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
