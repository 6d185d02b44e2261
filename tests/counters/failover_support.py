"""A Redis that can be counted, a clock that can be set: what the failover tests share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from ragauth.counters import Counters
from ragauth.counters.redis_client import RedisClient
from ragauth.counters.redis_store import RedisCounters
from ragauth.deadlines import WouldWait, check_deadline, current_deadline
from tests.counters.questions import ACCOUNT, MONTH, ask
from tests.waiting import wait_until

Answer = TypeVar("Answer")


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


def connect_polling_thread(store: Counters) -> None:
    """Let the polling thread have an answer, and so a connection; changes no count.

    It waits for no more than a moment, in which a busy machine may not answer.
    """
    wait_until(lambda: is_connected_there(store))


def is_connected_there(store: Counters) -> bool:
    """Whether the polling thread has an answer in time now."""
    try:
        with in_polling_thread():
            store.seed_month(ACCOUNT, 0, MONTH, 0)
    except WouldWait:
        return False
    return True


def first_answer(ask: Callable[[], Answer]) -> Answer:
    """What a request is told: in the polling thread or, if it is late there, in one of the pool."""
    with suppress(WouldWait), in_polling_thread():
        return ask()
    return ask()


def pool_of(store: RedisCounters) -> Any:
    """The connections of the polling thread, of a store with one server."""
    client: Any = store._hasty_client
    return client._server.connection_pool
