"""What is counted of a key's own limits: with which keys, under which name, and how it is changed.

The counters decide, so a change here and the checks that are under way follow one another.
"""

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from ragauth import clock
from ragauth.counters import CountersUnavailable, Shift
from ragauth.errors import NoSuchKey
from ragauth.models import ApiKey
from ragauth.models import api_keys as key_rows
from ragauth.services.limits.applied import OF_KEY, apply_limit, read_key_limit
from ragauth.services.limits.limits import current_limits, unavailable
from ragauth.services.limits.seeds import INDEX_OF
from ragauth.services.limits.spans import span_of
from ragauth.services.limits.takings import Owners, tallies_of

#: A limit as it is stored.
Stored = Mapping[str, Any]


class Counted(NamedTuple):
    """Where the checks of a key are counted."""

    owners: Owners
    environment: str


def owners_of(key: ApiKey) -> Owners:
    """Whose counts a key's checks add to; raises NoSuchKey for a service's own key."""
    if key.account_id is None:
        raise NoSuchKey
    return Owners(key.account_id.bytes, (key.counted_as or key.id).bytes)


def counted_of(key: ApiKey) -> Counted:
    """Where a key's checks are counted; raises NoSuchKey for a service's own key."""
    return Counted(owners_of(key), key.environment)


def counted_alone(account_id: uuid.UUID, key_id: uuid.UUID, environment: str) -> Counted:
    """Where the checks of a key will be counted that is not made yet."""
    return Counted(Owners(account_id.bytes, key_id.bytes), environment)


def counted_together(key: ApiKey) -> list[ApiKey]:
    """The key and those with which it shares its counts while one of them is in its grace.

    In the present transaction.
    """
    together = [key, *key_rows.list_predecessors(key, now=clock.now())]
    if key.replaced_by and key.account_id:
        successor = key_rows.find_key(key.account_id, key.replaced_by)
        together += [successor] if successor else []
    return together


def shift_count(counted: Counted, limit: Stored, shift: Shift) -> tuple[int, int]:
    """Change what was counted of a limit; returns the count before and after.

    Outside of a transaction. Raises ExternalServiceUnavailable.
    """
    one = apply_limit(read_key_limit(limit), OF_KEY)
    owners, limits, now_ms = counted.owners, current_limits(), _now_ms()
    index, span = INDEX_OF[counted.environment], span_of(now_ms)
    [tally] = tallies_of((one,), owners, span)
    shift_tally = limits.counters.shift_tally
    try:
        while (counts := shift_tally(owners.account, index, tally, shift, now_ms)) is None:
            limits.seeder.seed(owners.account, index, span.month, (one,), (tally,))
    except CountersUnavailable as error:
        raise unavailable(error) from error
    return counts


def forget_count(key: ApiKey, limit: Stored) -> None:
    """Drop what was counted of an earlier limit; raises ExternalServiceUnavailable."""
    owners = owners_of(key)
    one = apply_limit(read_key_limit(limit), OF_KEY)
    tallies = tallies_of((one,), owners, span_of(_now_ms()))
    try:
        current_limits().counters.forget_tallies(owners.account, INDEX_OF[key.environment], tallies)
    except CountersUnavailable as error:
        raise unavailable(error) from error


def used_in_all(key: ApiKey) -> int:
    """The requests of a key, and of those that count as it; raises ExternalServiceUnavailable."""
    owners = owners_of(key)
    try:
        return current_limits().seeder.requests_of(
            owners.account, INDEX_OF[key.environment], owners.key
        )
    except CountersUnavailable as error:
        raise unavailable(error) from error


def _now_ms() -> int:
    return clock.now_ns() // 1_000_000
