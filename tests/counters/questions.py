"""A question to `admit` with everything filled in, so that a test states only what matters."""

from pathlib import Path

from ragauth.counters import Admission, Charge, Counters, LmdbCounters
from ragauth.counters.redis_store import RedisCounters

NOW = 1_790_000_000_000
MONTH = 202609
DAY = 20260921
ACCOUNT = bytes(range(16))
KEY = bytes(range(16, 32))
OURS = "ragauth:tests:"


def ask(
    store: Counters,
    *,
    account: bytes = ACCOUNT,
    key: bytes = KEY,
    environment: int = 0,
    minute_limit: int = 60,
    month_limit: int = 1_000,
    cost: int = 1,
    month: int = MONTH,
    day: int = DAY,
    now_ms: int = NOW,
) -> Admission | None:
    return store.admit(
        Charge(account, key, environment, minute_limit, month_limit, cost, month, day, now_ms)
    )


def seed(store: Counters, base_units: int = 0, account: bytes = ACCOUNT) -> None:
    for environment in (0, 1):
        store.seed_month(account, environment, MONTH, base_units)


def installation() -> str:
    """The installation whose counters stand in Redis."""
    return "tests"


def open_redis(url: str) -> RedisCounters:
    """Counters that wait for a Redis on a busy machine."""
    return RedisCounters(url, installation, 10.0)


def open_store(address: str) -> LmdbCounters | RedisCounters:
    """Open the store at a path or a URL, as another process would."""
    return open_redis(address) if "://" in address else LmdbCounters(Path(address))
