"""The calendar that limits count by: the day and the month of a moment, in UTC."""

from datetime import timedelta
from typing import NamedTuple

from ragauth import clock

DAY_MS = 86_400_000


class Span(NamedTuple):
    """The day (yyyymmdd) and month (yyyymm) of a moment, and when they end in Unix milliseconds."""

    day: int
    month: int
    month_seconds: int
    month_ends_ms: int
    day_ends_ms: int


def span_of(now_ms: int) -> Span:
    today = clock.from_ms(now_ms)
    month_begins = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    month_ends = (month_begins + timedelta(days=31)).replace(day=1)
    return Span(
        day=today.year * 10_000 + today.month * 100 + today.day,
        month=today.year * 100 + today.month,
        month_seconds=int((month_ends - month_begins).total_seconds()),
        month_ends_ms=int(month_ends.timestamp() * 1000),
        day_ends_ms=(now_ms // DAY_MS + 1) * DAY_MS,
    )


class Calendar:
    """Tells the span of a moment, and remembers the last one: most moments are of the same day."""

    def __init__(self) -> None:
        self._known = (0, span_of(0))

    def span_at(self, now_ms: int) -> Span:
        day = now_ms // DAY_MS
        known_day, span = self._known
        if day != known_day:
            span = span_of(now_ms)
            # Replaced in one assignment: no thread sees one day's key with another day's span.
            self._known = (day, span)
        return span
