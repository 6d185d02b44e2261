"""The kinds of metrics: counters, gauges and histograms, whose labels have known values only.

A label's values are a closed set, so that input from outside cannot enlarge it. Each series is
shown from the start, at zero, so that its first event is an increase. A sparse family has very many
series, and shows only those that ever counted.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress
from typing import NamedTuple

from ragauth.metrics.board import Board, HistogramCells, board

Labels = tuple[str, ...]


class Sample(NamedTuple):
    """One series: the values of its labels, and its number."""

    labels: Labels
    value: float


class Distribution(NamedTuple):
    """One histogram: the number of observations up to each bound (the last bound is infinity)."""

    labels: Labels
    buckets: list[tuple[str, float]]
    total: float


class Counter:
    """A number that only grows. Its name on the page ends in `_total`."""

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
        """The cell of a series; allocates it if it is new."""
        if values not in self._cells:
            self._cells[values] = self._board.allocate(1)
        return self._cells[values]

    def declare_all(self, series: Sequence[Labels]) -> Iterable[int]:
        """Allocate the cells of many new series next to each other."""
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
    """A number that goes up and down: the sum over all living processes."""

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
    """A distribution of durations, in seconds."""

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
        """The cells of a series; allocates them if they are new."""
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
