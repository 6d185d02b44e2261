"""Counters: rate limits, quotas and usage, decided exactly for all workers (facade).

`open_counters` returns a store with the methods of `Counters`: a file of the host, or Redis with
that file as its fallback. Each decision is one atomic step for all workers. All methods raise
CountersUnavailable if the store does not answer in time. Counters work with numbers and
identifiers, and know nothing of plans. The runtime opens them; services and background work use
them.
"""

from collections.abc import Callable
from pathlib import Path

from ragauth.counters.interface import (
    EVENT_KEPT_MS,
    Admission,
    Admitted,
    ChangedRow,
    Charge,
    Count,
    Counters,
    CountersUnavailable,
    MeterRow,
    Peek,
    Report,
    Reported,
    Reserve,
    Settled,
    Shift,
    Shifted,
    Taken,
    Tally,
    UsageRow,
    Use,
    Window,
)
from ragauth.counters.lmdb_store import LmdbCounters

__all__ = [
    "EVENT_KEPT_MS",
    "Admission",
    "Admitted",
    "ChangedRow",
    "Charge",
    "Count",
    "Counters",
    "CountersUnavailable",
    "LmdbCounters",
    "MeterRow",
    "Peek",
    "Report",
    "Reported",
    "Reserve",
    "Settled",
    "Shift",
    "Shifted",
    "Taken",
    "Tally",
    "UsageRow",
    "Use",
    "Window",
    "open_counters",
]


def open_counters(
    lmdb_path: Path,
    redis_url: str | None,
    installation: Callable[[], str],
    save: Callable[[Counters], object] = lambda _store: None,
) -> Counters:
    """Return the counters of this installation; files and connections open at the first use.

    Without `redis_url` the processes of a host share the file at `lmdb_path`, whose folder must
    exist. With it all hosts share Redis, and the file stands in while Redis is away. `redis_url` is
    in the form that `config.redis_urls.redis_url` returns. `installation` returns the name of the
    installation, which is part of each name in Redis; it may raise CountersUnavailable. `save`
    saves what a store has counted; it is called after an outage, before counting continues in
    Redis.
    """
    counters = LmdbCounters(lmdb_path)
    if redis_url is None:
        return counters
    # Imported only if Redis is used: the client alone takes a tenth of the time to start.
    from ragauth.counters.failover import FailoverCounters  # noqa: PLC0415
    from ragauth.counters.redis_store import RedisCounters  # noqa: PLC0415

    return FailoverCounters(RedisCounters(redis_url, installation), counters, save=save)
