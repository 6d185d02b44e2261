"""Processes that are stopped (SIGSTOP) and go on whatever becomes of who stopped them."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

# It waits for the pipe's end, which comes with the death of this process too.
_UNTIL_RELEASED = 'kill -s STOP "$@"; read -r _; kill -s CONT "$@"'


class Frozen:
    """Some processes, stopped from now until `release`."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", _UNTIL_RELEASED, "sh", *map(str, pids)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def release(self) -> None:
        self._keeper.communicate(b"\n")


def freeze_family(master: int) -> Frozen:
    """Stop a process and its children; the process first, so that it makes no more of them."""
    os.kill(master, signal.SIGSTOP)
    return Frozen([master, *children(master)])


def children(master: int) -> list[int]:
    """The ids of a process's children."""
    return [pid for pid in _processes() if parent(pid) == master]


def parent(pid: int) -> int:
    """The id of a process's parent, 0 where there is none."""
    try:
        # The program's name is in parentheses and may contain anything.
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]
