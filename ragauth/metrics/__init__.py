"""What the service counts about itself, for all workers together (facade)."""

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
    DATABASE_ERRORS,
    EVENTS,
    FAILING,
    HASHES,
    HASHES_REFUSED,
    HASHING_PLACES_TAKEN,
    LIMIT_HITS,
    LOG_LINES_LOST,
    REDIS_LOST,
    STANDING_IN,
    UNAVAILABLE,
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
    REDIS_LOST,
    STANDING_IN,
    FAILING,
    LOG_LINES_LOST,
    WORKER_STARTS,
    EVENTS,
)

__all__ = [
    "ALLOWED",
    "CHECKS",
    "DATABASE_ERRORS",
    "EVENTS",
    "FAILING",
    "FAMILIES",
    "HASHES",
    "HASHES_REFUSED",
    "HASHING_PLACES_TAKEN",
    "LIMIT_HITS",
    "LOG_LINES_LOST",
    "REDIS_LOST",
    "STANDING_IN",
    "UNAVAILABLE",
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
