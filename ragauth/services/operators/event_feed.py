"""The feed of all accounts' events: in an order in which nothing appears before what was read.

An event has its id before its transaction is committed, so by ids an event may appear behind a
reader. Places are given to committed events, by one transaction at a time. So an event with a
smaller place is visible whenever one with a greater place is.

Readers cause it: an installation that nobody asks gives no places.
"""

from collections.abc import Sequence

from ragauth import clock, transaction
from ragauth.models import events as event_rows
from ragauth.models import installation
from ragauth.models.base import Page, Shown

# One transaction holds up SQLite's other writers for a tenth of a second at most.
_BATCH = 2_000
# For one request at most, if few events have the name that it asks for.
_MOST_BATCHES = 10


def read_feed(*, after: int | None, name: str | None, limit: int) -> Page[Shown]:
    """Events after a place, or from the beginning, in the feed's order.

    The cursor is the place of the last one; without any, that which was given, or 0.
    """
    after = after or 0
    events, has_unplaced = _read(after, name, limit)
    for _ in range(_MOST_BATCHES):
        if len(events) == limit or not has_unplaced:
            break
        _place_batch()
        events, has_unplaced = _read(after, name, limit)
    return Page(events, events[-1].place if events else after)


def _read(after: int, name: str | None, limit: int) -> tuple[Sequence[Shown], bool]:
    """Placed events, and whether there are any without a place."""
    with transaction.read_only():
        # First: on Postgres each query sees what is committed when it begins, and another reader
        # may give places in between. In this order its events are told.
        has_unplaced = event_rows.has_unplaced()
        return event_rows.list_placed(after, name, limit=limit), has_unplaced


def _place_batch() -> None:
    """Give the oldest events without a place the next places, after all that were ever given.

    Places follow the clock, so they are greater than any that was told before a backup was
    restored; where the clock was set back, they follow the last place.
    """
    with transaction.unit_of_work():
        after = max(installation.hold_last_place(), clock.now_ns() // 1_000)
        last_place = event_rows.place_next(after, limit=_BATCH)
        if last_place is not None:
            installation.set_last_place(last_place)
