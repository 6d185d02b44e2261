"""The wall clock: the only place that asks what time it is."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from functools import lru_cache

#: By so much the clocks of two hosts may differ.
LEEWAY = timedelta(seconds=10)


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def is_ahead(moment: datetime) -> bool:
    """Whether something was stamped by a clock that was wrong: it cannot have happened yet."""
    return moment > now() + LEEWAY


def now_ns() -> int:
    """The present moment in Unix nanoseconds."""
    return time.time_ns()


def timestamp() -> str:
    """The present moment as a log has it: `2026-01-15T10:30:00.123456Z`."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def http_date() -> str:
    """The present moment as HTTP has it (RFC 9110 section 5.6.7)."""
    return _http_date(int(time.time()))


@lru_cache(maxsize=4)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def monotonic() -> float:
    """Seconds from an arbitrary start, unmoved by changes of the wall clock."""
    return time.monotonic()


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`, to the second: `2026-01-15T10:30:00Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat()[:19]}Z"


def from_ms(milliseconds: int) -> datetime:
    """The moment of a number of Unix milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
