"""Fills a small file with windows: python -m tests.counters.fill_file PATH WINDOWS."""

import os
import sys
from pathlib import Path

from ragauth.counters import LmdbCounters
from tests.counters.questions import NOW

TINY = 16 * os.sysconf("SC_PAGE_SIZE")


def fill(store: LmdbCounters, windows: int, prefix: bytes = b"x") -> None:
    for n in range(windows):
        store.hit(prefix * 40 + b"%d" % n, 1_000, NOW)


if __name__ == "__main__":
    fill(LmdbCounters(Path(sys.argv[1]), map_bytes=TINY), int(sys.argv[2]))
