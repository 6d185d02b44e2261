"""A Redis that can be counted, a clock that can be set: what the failover tests share."""

from ragauth.counters import Counters
from ragauth.counters.redis_store import RedisCounters
from tests.counters.questions import ACCOUNT, MONTH, ask


class Clock:
    """Seconds that pass only when told to."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class CountedRedis(RedisCounters):
    """Counts how often Redis is spoken to."""

    calls = 0

    def _run(self, *arguments: object) -> object:
        self.calls += 1
        return super()._run(*arguments)  # type: ignore[arg-type]


def admitted(store: Counters, base_units: int = 0) -> int:
    """Ask as a caller does, with the database at `base_units`; return what the month has used."""
    answer = ask(store, minute_limit=1_000)
    if answer is None:
        store.seed_month(ACCOUNT, 0, MONTH, base_units)
        answer = ask(store, minute_limit=1_000)
    assert answer is not None
    assert answer.refused_by is None
    return answer.month_used
