"""What the service counts about itself, for all workers together (facade).

Any layer may count: a worker writes to memory of its own and never waits for another (`board`). All
series are declared here, with all values of their labels, so that no client can add a series.
"""

from ragauth.metrics.board import board
from ragauth.metrics.families import Counter, Distribution, Gauge, Histogram, Sample
from ragauth.metrics.requests import (
    DURATIONS,
    REQUESTS,
    note_request,
    note_unreadable,
    register_route,
)
from ragauth.metrics.series import (
    ALLOWED,
    CHECKS,
    CLOCK_STEPS,
    DATABASE_ERRORS,
    EVENTS,
    FAILING,
    FROZEN,
    HASHES,
    HASHES_REFUSED,
    HASHING_PLACES_TAKEN,
    HUNG,
    KILLED,
    LIMIT_HITS,
    LOG_LINES_LOST,
    PROCESS_DEATHS,
    REDIS_LOST,
    STANDING_IN,
    UNAVAILABLE,
    WORKER_DEATHS,
    WORKER_STARTS,
)

FAMILIES = (
    REQUESTS,
    DURATIONS,
    CHECKS,
    LIMIT_HITS,
    HASHES,
    HASHES_REFUSED,
    HASHING_PLACES_TAKEN,
    DATABASE_ERRORS,
    FROZEN,
    REDIS_LOST,
    STANDING_IN,
    FAILING,
    LOG_LINES_LOST,
    WORKER_STARTS,
    CLOCK_STEPS,
    WORKER_DEATHS,
    PROCESS_DEATHS,
    EVENTS,
)

__all__ = [
    "ALLOWED",
    "CHECKS",
    "CLOCK_STEPS",
    "DATABASE_ERRORS",
    "EVENTS",
    "FAILING",
    "FAMILIES",
    "FROZEN",
    "HASHES",
    "HASHES_REFUSED",
    "HASHING_PLACES_TAKEN",
    "HUNG",
    "KILLED",
    "LIMIT_HITS",
    "LOG_LINES_LOST",
    "PROCESS_DEATHS",
    "REDIS_LOST",
    "STANDING_IN",
    "UNAVAILABLE",
    "WORKER_DEATHS",
    "WORKER_STARTS",
    "Counter",
    "Distribution",
    "Gauge",
    "Histogram",
    "Sample",
    "board",
    "note_request",
    "note_unreadable",
    "register_route",
]
