"""The kinds of metrics: counters, gauges and histograms, whose labels have known values only.

A label's values are a closed set, so that input from outside cannot enlarge it. Each series is
shown from the start, at zero, so that its first event is an increase. A sparse family has very many
series, and shows only those that ever counted.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, compress
from operator import itemgetter
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
    bounds: tuple[str, ...]
    counts: list[float]
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
        self._get: Callable[[list[float]], Sequence[float]] | None = None
        for values in series:
            self.declare(values)

    def declare(self, values: Labels) -> int:
        """The cell of a series; allocates it if it is new."""
        if values not in self._cells:
            self._cells[values] = self._board.allocate(1)
            self._get = None
        return self._cells[values]

    def declare_all(self, series: Sequence[Labels]) -> Iterable[int]:
        """Allocate the cells of many new series next to each other."""
        first = self._board.allocate(len(series))
        cells = range(first, first + len(series))
        self._cells.update(zip(series, cells, strict=True))
        self._get = None
        return cells

    def count(self, *values: str, by: int = 1) -> None:
        self._board.add(self._cells[values], by)

    def read(self, sums: list[float]) -> Iterator[Sample]:
        numbers = self.numbers(sums)
        if not self._is_sparse:
            return map(Sample, self._cells, numbers)
        return map(Sample, compress(self._cells, numbers), filter(None, numbers))

    def numbers(self, sums: list[float]) -> Sequence[float]:
        """Those of all series, thousands of them: without a step of Python for each."""
        cells = self._cells.values()
        if len(cells) < 2:
            # A getter of a single cell gives no tuple.
            return [sums[cell] for cell in cells]
        if self._get is None:
            self._get = itemgetter(*cells)
        return self._get(sums)


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
        return map(Sample, self._cells, self.numbers(sums))

    def numbers(self, sums: list[float]) -> Sequence[float]:
        return [sums[cell] for cell in self._cells.values()]


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
        self._names = (*map(str, self._bounds), "+Inf")
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
        for labels, numbers in self.numbers(sums):
            yield self.distribution(labels, numbers)

    def numbers(self, sums: list[float]) -> Iterator[tuple[Labels, list[float]]]:
        """Each series that is shown: how many are in each bucket, and the sum."""
        for labels, (first, _, total) in self._cells.items():
            numbers = sums[first : total + 1]
            if any(numbers) or not self._is_sparse:
                yield labels, numbers

    def distribution(self, labels: Labels, numbers: list[float]) -> Distribution:
        return Distribution(labels, self._names, list(accumulate(numbers[:-1])), numbers[-1])
