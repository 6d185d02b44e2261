"""Requests by route, method and status: the route is a template of the URL map, never a path."""

from collections.abc import Iterable

from ragauth.metrics.board import HistogramCells, board
from ragauth.metrics.families import Counter, Histogram

UNMATCHED = "unmatched"
OTHER = "other"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", OTHER)
_STATUSES = frozenset(
    {
        *(200, 201, 202, 204, 301, 302, 304, 307, 308),
        *(400, 401, 403, 404, 405, 408, 409, 410, 413, 414, 415, 422, 429, 431),
        *(500, 501, 502, 503, 504),
    }
)
# The statuses that have series of their own; None stands for any other.
_TOLD = {status: str(status) for status in sorted(_STATUSES)} | {None: OTHER}

REQUESTS = Counter(
    "ragauth_requests",
    "Requests that were answered",
    labels=("route", "method", "status"),
    series=(),
    is_sparse=True,
)
DURATIONS = Histogram(
    "ragauth_request_duration_seconds",
    "Time to answer a request",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    labels=("route",),
    series=(),
    is_sparse=True,
)


# By route, method and status: the counter's cell, and the histogram's cells.
_cells: dict[tuple[str, str, int | None], tuple[int, HistogramCells]] = {}


def register_route(route: str, methods: Iterable[str]) -> None:
    """Allocate cells for a route of the URL map; called before the first fork."""
    histogram = DURATIONS.declare((route,))
    known = {*methods, OTHER}
    for method in METHODS:
        if method in known and (route, method, None) not in _cells:
            counters = REQUESTS.declare_all([(route, method, told) for told in _TOLD.values()])
            for status, counter in zip(_TOLD, counters, strict=True):
                _cells[route, method, status] = counter, histogram


def note_request(route: str | None, method: str, status: int, seconds: float) -> None:
    """Count an answered request; an unknown route is `unmatched`, an unknown method `other`."""
    cells = _cells.get((route or UNMATCHED, method, status))
    if cells is None:
        cells = _nearest(route or UNMATCHED, method, status)
    counter, histogram = cells
    board.observe(histogram, seconds, counter)


def note_unreadable(status: int) -> None:
    """Count an answer to bytes that were no HTTP request."""
    counter, _ = _nearest(UNMATCHED, OTHER, status)
    board.add(counter)


def _nearest(route: str, method: str, status: int) -> tuple[int, HistogramCells]:
    if (route, OTHER, None) not in _cells:
        route = UNMATCHED
    if (route, method, None) not in _cells:
        method = OTHER
    return _cells[route, method, status if status in _STATUSES else None]


register_route(UNMATCHED, METHODS)
