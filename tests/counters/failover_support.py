"""A Redis that can be counted, a clock that can be set: what the failover tests share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ragauth.counters import Counters
from ragauth.counters.redis_client import RedisClient
from ragauth.counters.redis_store import RedisCounters
from ragauth.deadlines import check_deadline, current_deadline
from tests.counters.questions import ACCOUNT, MONTH, ask


class Clock:
    """Seconds that pass only when told to."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class CountedRedis(RedisCounters):
    """Counts how often Redis is spoken to."""

    calls = 0

    def _present_client(self) -> RedisClient:
        self.calls += 1
        return super()._present_client()


def admitted(store: Counters, base_units: int = 0) -> int:
    """Ask as a caller does, with the database at `base_units`; return what the month has used."""
    answer = ask(store, minute_limit=1_000)
    if answer is None:
        store.seed_month(ACCOUNT, 0, MONTH, base_units)
        answer = ask(store, minute_limit=1_000)
    assert answer is not None
    assert answer.refused_by is None
    return answer.month_used


@contextmanager
def in_polling_thread() -> Iterator[None]:
    """Let the block ask as the thread does that may not wait."""
    token = current_deadline.set(check_deadline(hands_over=True))
    try:
        yield
    finally:
        current_deadline.reset(token)


def pool_of(store: RedisCounters) -> Any:
    """The connections of the polling thread, of a store with one server."""
    client: Any = store._hasty_client
    return client._server.connection_pool
