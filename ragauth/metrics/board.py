"""Numbers that all workers of one service add to, each in its own slot of shared memory.

The memory is anonymous and made before the fork, so it belongs to one service alone and ends with
it. A worker adds to its own slot and never waits for another. The service's number is the sum of
all slots. A dead worker's slot goes to its successor, which continues with the numbers in it: no
count is lost, whatever signal ended the worker.
"""

import mmap
import os
import threading
from bisect import bisect_left
from collections.abc import Iterable
from itertools import compress
from typing import NamedTuple

#: If there are more workers than this, the surplus shares the last slot and may lose a count now
#: and then.
SLOTS = 64
CELLS = 32_768

_CELL_BYTES = 8
_BLOCK = 128
_IN_USE = 0
_PID = 1
_IS_BESIDE = 2


class HistogramCells(NamedTuple):
    """The cells of a histogram: one for each bound, one for greater values, one for the sum."""

    first: int
    bounds: tuple[float, ...]
    total: int


class Board:
    """Cells for numbers; allocated before the first fork, in the same order in all processes."""

    def __init__(self, slots: int = SLOTS, cells: int = CELLS) -> None:
        self._slots = slots
        self._cells = cells
        # Shared with the children of this process; untouched pages cost no memory.
        self._memory: memoryview[float] = memoryview(
            mmap.mmap(-1, slots * cells * _CELL_BYTES)
        ).cast("d")
        self._allocated = 3
        self._gauges: list[int] = []
        self._taken: set[int] = set()
        self._use(0)

    def allocate(self, cells: int, *, is_gauge: bool = False) -> int:
        """Allocate cells, return the first; cells of a gauge are reset when their process ends."""
        first = self._allocated
        self._allocated += cells
        if self._allocated > self._cells:
            raise RuntimeError(f"the metrics need more than {self._cells} cells")
        if is_gauge:
            self._gauges += range(first, first + cells)
        return first

    def add(self, cell: int, amount: float = 1) -> None:
        with self._lock:
            self._mine[cell] += amount

    def observe(self, histogram: HistogramCells, amount: float, counter: int | None = None) -> None:
        """Count one observation in its bucket, add it to the sum and, if asked, to a counter."""
        bucket = histogram.first + bisect_left(histogram.bounds, amount)
        with self._lock:
            mine = self._mine
            mine[bucket] += 1
            mine[histogram.total] += amount
            if counter is not None:
                mine[counter] += 1

    def allocate_histogram(self, bounds: tuple[float, ...]) -> HistogramCells:
        first = self.allocate(len(bounds) + 2)
        return HistogramCells(first, bounds, first + len(bounds) + 1)

    def sums(self) -> list[float]:
        """The sum of each cell over all processes, past ones too."""
        sums = [0.0] * self._allocated
        for slot in self._slots_in_use():
            of_slot = self._of_slot(slot)
            for first in range(0, self._allocated, _BLOCK):
                block = of_slot[first : min(first + _BLOCK, self._allocated)]
                # Skip zeros, whole blocks first: most of thousands of series never counted.
                if block.tobytes() != bytes(block.nbytes):
                    numbers = block.tolist()
                    for place in compress(range(len(numbers)), numbers):
                        sums[first + place] += numbers[place]
        return sums

    def pids(self) -> list[int]:
        """The process ids of the living workers."""
        return self._pids(is_beside=False)

    def pids_beside(self) -> list[int]:
        """The process ids of the living processes beside the workers."""
        return self._pids(is_beside=True)

    def _pids(self, *, is_beside: bool) -> list[int]:
        slots = map(self._of_slot, self._slots_in_use())
        return [int(of[_PID]) for of in slots if of[_PID] and bool(of[_IS_BESIDE]) == is_beside]

    def take_slot(self) -> int:
        """Take a slot for a worker that is about to be forked; called in its parent."""
        free = (slot for slot in range(1, self._slots) if slot not in self._taken)
        slot = next(free, self._slots - 1)
        self._taken.add(slot)
        return slot

    def enter_slot(self, slot: int, *, is_worker: bool = True) -> None:
        """Count in this slot from now on; called in the worker, or in a process beside them."""
        self._use(slot)
        self._forget_gauges(slot)
        self._mine[_IS_BESIDE] = not is_worker
        self._mine[_PID] = os.getpid()

    def end(self) -> None:
        """Note that this process ends in good order; called in it."""
        self._mine[_PID] = 0

    def leave_slot(self, slot: int) -> bool:
        """Free the slot of a dead process; called in its parent. True if it ended in good order."""
        self._taken.discard(slot)
        self._forget_gauges(slot)
        has_said_so = self._of_slot(slot)[_PID] == 0
        self._of_slot(slot)[_PID] = 0
        return has_said_so

    def _use(self, slot: int) -> None:
        # A new lock after a fork: a thread of the parent may hold the old one.
        self._lock = threading.Lock()
        self._mine = self._of_slot(slot)
        self._mine[_IN_USE] = 1

    def _forget_gauges(self, slot: int) -> None:
        cells = self._of_slot(slot)
        for cell in self._gauges:
            cells[cell] = 0

    def _slots_in_use(self) -> Iterable[int]:
        return (slot for slot in range(self._slots) if self._of_slot(slot)[_IN_USE])

    def _of_slot(self, slot: int) -> "memoryview[float]":
        return self._memory[slot * self._cells : (slot + 1) * self._cells]


board = Board()
