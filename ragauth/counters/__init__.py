"""Counters: rate limits, quotas and usage, decided exactly for all workers (facade).

`open_counters` gives a store with the methods of `Counters`: a file of the host, or Redis with that
file to stand in. Each decision is one step that no other worker can come between. All methods raise
CountersUnavailable where the store does not answer in time. They know numbers and identifiers, and
nothing of plans. The runtime opens them; services and the work beside requests ask them.
"""

from collections.abc import Callable
from pathlib import Path

from ragauth.counters.interface import (
    Admission,
    Charge,
    Counters,
    CountersUnavailable,
    Peek,
    UsageRow,
    Window,
)
from ragauth.counters.lmdb_store import LmdbCounters

__all__ = [
    "Admission",
    "Charge",
    "Counters",
    "CountersUnavailable",
    "LmdbCounters",
    "Peek",
    "UsageRow",
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

    Without `redis_url` the hosts' processes share the file at `lmdb_path` (whose folder must
    exist); with it hosts share Redis, and the file stands in while that is away.
    `redis_url` is one that `config.redis_urls.redis_url` wrote. `installation` names the owner of
    what stands in Redis; it may raise CountersUnavailable. `save` saves what a store has counted:
    it is called before counting goes on in Redis after an outage.
    """
    counters = LmdbCounters(lmdb_path)
    if redis_url is None:
        return counters
    # Only where it is used: the client alone would be a tenth of the time to start.
    from ragauth.counters.failover import FailoverCounters  # noqa: PLC0415
    from ragauth.counters.redis_store import (  # noqa: PLC0415
        HASTY_TIMEOUT_SECONDS,
        RedisCounters,
    )

    hasty = RedisCounters(redis_url, installation, HASTY_TIMEOUT_SECONDS)
    return FailoverCounters(
        RedisCounters(redis_url, installation), counters, hasty=hasty, save=save
    )
