"""Use that is reported afterwards: counted past every limit, each event once."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from ragauth import clock, transaction
from ragauth.extensions import current_policy
from ragauth.models import counted_keys
from ragauth.models.counted_keys import CountedKey
from ragauth.policy import REQUESTS
from ragauth.services.limits.limits import current_limits

OLDEST = timedelta(hours=48)

# How many ids one query names.
_BATCH = 500


class UsageEvent(NamedTuple):
    """What a key used, by meter, at a time; a time of None is now.

    `name` is the reporter's own for it, unique in the account. A `key_id` of None is none of ours.
    """

    name: str
    key_id: uuid.UUID | None
    use: Mapping[str, int]
    at: datetime | None


class MalformedEvent(NamedTuple):
    """What is no event; `name` as far as it has one."""

    name: str | None


class Rejected(NamedTuple):
    id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many events were counted now or before, and those that were not, in their order."""

    accepted: int
    known: int
    rejected: Sequence[Rejected]


def report(events: Sequence[UsageEvent | MalformedEvent]) -> Outcome:
    """Count each event that is not known yet, in the windows of its own time.

    Keys that are revoked or expired count too: the use happened. Raises
    ExternalServiceUnavailable; then some events may have been counted, and the same call again
    counts the rest.
    """
    keys = _find_keys({one.key_id for one in events if isinstance(one, UsageEvent)})
    limits, now = current_limits(), clock.now()
    accepted = known = 0
    rejected = []
    for one in events:
        if isinstance(one, MalformedEvent):
            rejected.append(Rejected(one.name, "malformed"))
            continue
        key = keys.get(one.key_id)
        if key is None:
            rejected.append(Rejected(one.name, "unknown_key"))
        elif (fault := _find_fault(one, now)) is not None:
            rejected.append(Rejected(one.name, fault))
        elif limits.report(key, one.name.encode(), dict(one.use), min(one.at or now, now)):
            accepted += 1
        else:
            known += 1
    return Outcome(accepted, known, rejected)


def _find_fault(event: UsageEvent, now: datetime) -> str | None:
    meters = current_policy().meters
    if any(meter == REQUESTS or meter not in meters for meter in event.use):
        return "unknown_meter"
    if event.at is None:
        return None
    if event.at < now - OLDEST:
        return "too_old"
    return "in_future" if clock.is_ahead(event.at) else None


def _find_keys(key_ids: Collection[uuid.UUID | None]) -> dict[uuid.UUID | None, CountedKey]:
    found: dict[uuid.UUID | None, CountedKey] = {}
    rest = iter([key_id for key_id in key_ids if key_id is not None])
    while batch := list(islice(rest, _BATCH)):
        with transaction.read_only():
            found |= {key.id: key for key in counted_keys.list_counted(batch)}
    return found
