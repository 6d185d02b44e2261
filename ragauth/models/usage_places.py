"""Places in lists of usage: where a page ends, and the next one goes on."""

import uuid
from datetime import date
from typing import NamedTuple


class KeyPlace(NamedTuple):
    """A row of a day and key."""

    day: date
    key_id: uuid.UUID


class _PeriodPlace(NamedTuple):
    begins: date
    account_id: uuid.UUID
    environment: str


class DayPlace(_PeriodPlace):
    """A row of a day, account and environment."""

    __slots__ = ()


class MonthPlace(_PeriodPlace):
    """The same of a month, by its first day."""

    __slots__ = ()
