"""The wall clock: the only place that asks what time it is."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from functools import lru_cache

#: The clocks of two hosts may differ by this much.
LEEWAY = timedelta(seconds=10)


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def is_ahead(moment: datetime) -> bool:
    """Whether a time is in the future, so that a wrong clock must have set it."""
    return moment > now() + LEEWAY


def now_ns() -> int:
    """The present moment in Unix nanoseconds."""
    return time.time_ns()


def timestamp() -> str:
    """The present moment in the log's form: `2026-01-15T10:30:00.123456Z`."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def http_date() -> str:
    """The present moment in HTTP's form (RFC 9110 section 5.6.7)."""
    return _http_date(int(time.time()))


@lru_cache(maxsize=4)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def monotonic() -> float:
    """Seconds from an arbitrary start, unaffected by changes of the wall clock."""
    return time.monotonic()


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`, to the second: `2026-01-15T10:30:00Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat()[:19]}Z"


def format_stored_time(stored: str) -> str:
    """The same of SQLite's form, `2026-01-15 10:30:00.123456`, which is in UTC."""
    return f"{stored[:10]}T{stored[11:19]}Z"


def from_ms(milliseconds: int) -> datetime:
    """The time of a number of Unix milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
