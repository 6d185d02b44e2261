"""The kinds of metrics: counters, gauges and histograms, whose labels have known values only.

A label's values are a closed set: nothing that comes in from outside can enlarge it. Each series is
told from the start, at zero, so that a first event is an increase; a sparse family, which has very
many, tells those that ever counted.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress
from typing import NamedTuple

from ragauth.metrics.board import Board, HistogramCells, board

Labels = tuple[str, ...]


class Sample(NamedTuple):
    """One series: the values of its labels, and what it amounts to."""

    labels: Labels
    value: float


class Distribution(NamedTuple):
    """One histogram: how many were at most as large as each bound (the last is infinity)."""

    labels: Labels
    buckets: list[tuple[str, float]]
    total: float


class Counter:
    """What only grows. Its name in the page ends in `_total`."""

    def __init__(
        self,
        name: str,
        text: str,
        *,
        labels: Sequence[str] = (),
        series: Iterable[Labels] = ((),),
        is_sparse: bool = False,
        on: Board = board,
    ) -> None:
        self.name, self.text, self.labels = name, text, labels
        self._is_sparse = is_sparse
        self._board = on
        self._cells: dict[Labels, int] = {}
        for values in series:
            self.declare(values)

    def declare(self, values: Labels) -> int:
        """The cell of a series, which is made unless it is there."""
        if values not in self._cells:
            self._cells[values] = self._board.allocate(1)
        return self._cells[values]

    def declare_all(self, series: Sequence[Labels]) -> Iterable[int]:
        """The cells of many series that are not there yet, next to each other."""
        first = self._board.allocate(len(series))
        cells = range(first, first + len(series))
        self._cells.update(zip(series, cells, strict=True))
        return cells

    def count(self, *values: str, by: int = 1) -> None:
        self._board.add(self._cells[values], by)

    def read(self, sums: list[float]) -> Iterator[Sample]:
        values = [sums[cell] for cell in self._cells.values()]
        told = zip(self._cells, values, strict=True)
        for labels, value in compress(told, values) if self._is_sparse else told:
            yield Sample(labels, value)


class Gauge:
    """What goes up and down; the sum over all living workers."""

    def __init__(
        self,
        name: str,
        text: str,
        *,
        labels: Sequence[str] = (),
        series: Iterable[Labels] = ((),),
        on: Board = board,
    ) -> None:
        self.name, self.text, self.labels = name, text, labels
        self._board = on
        self._cells = {values: on.allocate(1, is_gauge=True) for values in series}

    def add(self, amount: float, *values: str) -> None:
        self._board.add(self._cells[values], amount)

    def read(self, sums: list[float]) -> Iterator[Sample]:
        for labels, cell in self._cells.items():
            yield Sample(labels, sums[cell])


class Histogram:
    """How long things took, in seconds."""

    def __init__(
        self,
        name: str,
        text: str,
        bounds: Sequence[float],
        *,
        labels: Sequence[str] = (),
        series: Iterable[Labels] = ((),),
        is_sparse: bool = False,
        on: Board = board,
    ) -> None:
        self.name, self.text, self.labels = name, text, labels
        self._is_sparse = is_sparse
        self._board = on
        self._bounds = tuple(bounds)
        self._cells: dict[Labels, HistogramCells] = {}
        for values in series:
            self.declare(values)

    def declare(self, values: Labels) -> HistogramCells:
        """The cells of a series, which are made unless they are there."""
        if values not in self._cells:
            self._cells[values] = self._board.allocate_histogram(self._bounds)
        return self._cells[values]

    def observe(self, seconds: float, *values: str) -> None:
        self._board.observe(self._cells[values], seconds)

    def read(self, sums: list[float]) -> Iterator[Distribution]:
        names = [*map(str, self._bounds), "+Inf"]
        for labels, (first, _, total) in self._cells.items():
            counts = list(accumulate(sums[first:total]))
            if counts[-1] or not self._is_sparse:
                yield Distribution(labels, list(zip(names, counts, strict=True)), sums[total])
