"""The history of all accounts: how operators read it, and how old events are deleted."""

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from ragauth import clock, transaction
from ragauth.models import Event
from ragauth.models import events as event_rows
from ragauth.security.identifiers import first_uuid_at

# An event gets its id before its transaction is committed, so for this long an event with an older
# id may still appear.
_LATE = timedelta(seconds=30)
_BATCH = 500


class EventFilter(NamedTuple):
    """Selects events by account and by name; None selects all."""

    account_id: uuid.UUID | None = None
    name: str | None = None


ANY_EVENT = EventFilter()


def read_events(
    which: EventFilter = ANY_EVENT, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Event]:
    """Events from `since` on and before `until`, oldest first.

    Each batch is a short transaction of its own, so a slow reader blocks nobody.
    """
    after = uuid.UUID(int=0) if since is None else first_uuid_at(since)
    before = None if until is None else first_uuid_at(until)
    while True:
        with transaction.read_only():
            batch = event_rows.list_between(after, before, *which, limit=_BATCH)
        yield from batch
        if len(batch) < _BATCH:
            return
        after = uuid.UUID(int=batch[-1].id.int + 1)


def read_latest(which: EventFilter = ANY_EVENT, *, limit: int) -> list[Event]:
    """The latest events, oldest first."""
    with transaction.read_only():
        return event_rows.list_latest(*which, limit=limit)[::-1]


class Follower:
    """Reads new events as they happen: each event once, however late it is committed."""

    def __init__(self, which: EventFilter = ANY_EVENT) -> None:
        self._which = which
        self._since = clock.now() - _LATE
        self._seen = {event.id for event in read_events(which, since=self._since)}

    def read_latest(self, limit: int) -> list[Event]:
        """The latest events, oldest first; `read` continues after them."""
        events = read_latest(self._which, limit=limit)
        self._seen.update(event.id for event in events)
        return events

    def read(self) -> Iterator[Event]:
        since, self._since = self._since, clock.now() - _LATE
        for event in read_events(self._which, since=since):
            if event.id not in self._seen:
                self._seen.add(event.id)
                yield event
        self._seen = {each for each in self._seen if each >= first_uuid_at(self._since)}


def delete_old_events(*, before: datetime, limit: int) -> int:
    """Delete events before a moment; returns how many."""
    with transaction.unit_of_work():
        return event_rows.delete_older(first_uuid_at(before), limit=limit)


def delete_nobodys_events(*, before: datetime, limit: int) -> int:
    """Delete events that belong to no account, before a moment; returns how many."""
    with transaction.unit_of_work():
        return event_rows.delete_nobodys(first_uuid_at(before), limit=limit)
