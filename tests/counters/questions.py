"""A question to `admit` with everything filled in, so that a test states only what matters."""

from pathlib import Path

from ragauth.counters import (
    Admission,
    Charge,
    Counters,
    LmdbCounters,
    Report,
    Reported,
    Reserve,
    Tally,
    Use,
)
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
    tallies: tuple[Tally, ...] = (),
    uses: tuple[Use, ...] = (),
    reserve: Reserve | None = None,
) -> Admission | None:
    return store.admit(
        Charge(
            account,
            key,
            environment,
            minute_limit,
            month_limit,
            cost,
            month,
            day,
            now_ms,
            tallies,
            uses,
            reserve,
        )
    )


def in_window(
    amount: int = 1,
    *,
    size: int = 10,
    length_ms: int = 10_000,
    owner: bytes = KEY,
    meter: bytes = b"tokens",
) -> Tally:
    """A tally in a window that opens with the first thing that is counted."""
    return Tally(owner, meter + b"/%dms" % length_ms, meter, length_ms, 0, size, amount)


def in_period(
    amount: int = 1,
    *,
    size: int = 10,
    period: int = DAY,
    owner: bytes = KEY,
    meter: bytes = b"tokens",
) -> Tally:
    """A tally of a day, of a month, or in total (0)."""
    kind = {0: b"total", 6: b"month", 8: b"day"}[len(str(period)) if period else 0]
    return Tally(owner, meter + b"/" + kind, meter, 0, period, size, amount)


def report(
    store: Counters,
    event: bytes,
    amount: int,
    *tallies: Tally,
    now_ms: int = NOW,
    at_ms: int = NOW,
    day: int = DAY,
) -> Reported | None:
    uses = (Use(b"tokens", amount),)
    return store.report(Report(ACCOUNT, KEY, 0, day, event, uses, tallies, now_ms, at_ms))


def seed(store: Counters, base_units: int = 0, account: bytes = ACCOUNT) -> None:
    for environment in (0, 1):
        store.seed_month(account, environment, MONTH, base_units)


def seed_tallies(store: Counters, *tallies: Tally, base: int = 0, now_ms: int = NOW) -> None:
    for tally in tallies:
        store.seed_tally(ACCOUNT, 0, tally, base, now_ms)


def installation() -> str:
    """The installation whose counters stand in Redis."""
    return "tests"


def open_redis(url: str) -> RedisCounters:
    """Counters that wait for a Redis on a busy machine."""
    return RedisCounters(url, installation, 10.0)


def open_store(address: str) -> LmdbCounters | RedisCounters:
    """Open the store at a path or a URL, as another process would."""
    return open_redis(address) if "://" in address else LmdbCounters(Path(address))
