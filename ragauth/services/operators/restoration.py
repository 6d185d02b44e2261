"""After a backup was restored: end again what had ended since the backup, as far as it is known.

The restored database knows nothing of what happened since the backup. Sessions, mailed tokens,
queued mails and webhooks from before the backup are all ended. What was revoked since then is known
from the history of the replaced database alone, if there is one.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ragauth import clock, transaction
from ragauth.extensions import db
from ragauth.models import ApiKey
from ragauth.models import agents as agent_rows
from ragauth.models import api_keys as key_rows
from ragauth.models import confirmations as confirmation_rows
from ragauth.models import events as event_rows
from ragauth.models import outbox as outbox_rows
from ragauth.models import sessions as session_rows
from ragauth.models import webhook_deliveries as delivery_rows
from ragauth.models.accounts import ACTIVE, SUSPENDED
from ragauth.security.identifiers import AGENT, KEY, decode_id, encode_id
from ragauth.services.account_lock import lock_account
from ragauth.services.accounts import erasure
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.keys import agents, revocation
from ragauth.services.operators.accounts import change_status

#: Changes that cannot be repeated: their owners have the state of the backup again, and may have to
#: be told.
TO_BE_TOLD = frozenset(
    {
        EventName.PASSWORD_CHANGED,
        EventName.PASSWORD_RESET,
        EventName.STARTED_CLEAN,
        EventName.EMAIL_CHANGED,
        EventName.SECOND_FACTOR_ADDED,
        EventName.SECOND_FACTOR_REMOVED,
        EventName.RECOVERY_CODE_USED,
        EventName.RECOVERY_CODES_RENEWED,
        EventName.ACCOUNT_CREATED,
        EventName.ACCOUNT_RESUMED,
        EventName.PLAN_CHANGED,
        EventName.KEY_CREATED,
        EventName.KEY_IMPORTED,
        EventName.KEY_CHANGED,
        EventName.KEY_ROTATED,
        EventName.SIGNING_KEY_CREATED,
        EventName.SIGNING_KEY_RETIRED,
    }
)


class PastEvent(NamedTuple):
    """An event of the database that was replaced."""

    id: uuid.UUID
    account_id: uuid.UUID | None
    name: str
    at: datetime
    details: Mapping[str, Any]


@dataclass
class Restored:
    """What was ended.

    `to_be_told` has further accounts that are concerned, with the events' names.
    """

    backup_at: datetime | None
    live_keys: int
    ended_sessions: int
    withdrawn_tokens: int
    dropped_mails: int
    dropped_webhooks: int
    revoked_keys: int = 0
    deleted_agents: int = 0
    suspended_accounts: int = 0
    deleted_accounts: int = 0
    to_be_told: dict[uuid.UUID | None, set[str]] = field(default_factory=dict)


def newest_event_at() -> datetime | None:
    """The time of the database's latest event; None for an empty history."""
    with transaction.read_only():
        return _newest_event_at()


def _newest_event_at() -> datetime | None:
    latest = event_rows.list_latest(None, None, limit=1)
    return latest[0].at if latest else None


def clean_up(history: Iterable[PastEvent]) -> Restored:
    """End what has come back to life, in one transaction; a second call changes nothing."""
    with transaction.unit_of_work():
        return _clean_up(history)


def _clean_up(history: Iterable[PastEvent]) -> Restored:
    now = clock.now()
    # They may have been sent since; one that was not can be sent by hand.
    dropped_webhooks = delivery_rows.fail_all_pending(cause="dropped after a restore")
    done = Restored(
        backup_at=_newest_event_at(),
        live_keys=key_rows.count_all_live(now=now),
        ended_sessions=session_rows.end_all(now=now),
        withdrawn_tokens=confirmation_rows.delete_all_unused(),
        dropped_mails=outbox_rows.remove_all() - dropped_webhooks,
        dropped_webhooks=dropped_webhooks,
    )
    events = sorted(history, key=lambda event: event.id)
    known = event_rows.find_known([event.id for event in events])
    suspended: dict[uuid.UUID, bool] = {}
    for event in events:
        if event.id in known:
            continue
        if event.name in (EventName.ACCOUNT_SUSPENDED, EventName.ACCOUNT_RESUMED):
            if event.account_id is not None:
                suspended[event.account_id] = event.name == EventName.ACCOUNT_SUSPENDED
        elif repeat := _REPEATED.get(event.name):
            repeat(event, done)
        if event.name in TO_BE_TOLD:
            done.to_be_told.setdefault(event.account_id, set()).add(event.name)
    for account_id, is_suspended in suspended.items():
        account = lock_account(account_id) if is_suspended else None
        if account is not None and account.status == ACTIVE:
            change_status(account, SUSPENDED, OPERATOR)
            done.suspended_accounts += 1
    return done


def _repeat_revocation(event: PastEvent, done: Restored) -> None:
    key_id = _id_in(event, "key_id", KEY)
    key = key_id and db.session.get(ApiKey, key_id)
    _revoke([key] if key else [], done)


def _repeat_rotation(event: PastEvent, done: Restored) -> None:
    """End the replaced key when its grace is over; its successor is not in this database."""
    if event.account_id is None:
        return
    grace_ends_at = event.at + timedelta(seconds=int(event.details.get("grace_seconds", 0)))
    replaced_id, prefix = event.details.get("replaced_id"), event.details.get("replaced_prefix")
    for key in key_rows.list_all_live(event.account_id):
        # Earlier versions did not record the key's id.
        if encode_id(KEY, key.id) != replaced_id if replaced_id else key.prefix != prefix:
            continue
        if grace_ends_at <= clock.now():
            _revoke([key], done)
        else:
            key.expires_at = min(key.expires_at or grace_ends_at, grace_ends_at)


def _revoke(keys: Sequence[ApiKey], done: Restored) -> None:
    for key in keys:
        done.revoked_keys += revocation.revoke(key, OPERATOR, by="restoration")


def _repeat_deletion_of_agent(event: PastEvent, done: Restored) -> None:
    agent_id, account_id = _id_in(event, "agent_id", AGENT), event.account_id
    if agent_id is None or account_id is None:
        return
    lock_account(account_id)
    agent = agent_rows.find_agent(account_id, agent_id)
    if agent is not None:
        agents.end_agent(agent, OPERATOR)
        done.deleted_agents += 1


def _repeat_deletion_of_account(event: PastEvent, done: Restored) -> None:
    account = None if event.account_id is None else lock_account(event.account_id)
    if account is not None:
        erasure.erase_account(account, OPERATOR)
        done.deleted_accounts += 1


def _id_in(event: PastEvent, name: str, kind: str) -> uuid.UUID | None:
    """The id in an event's details; None if they are gone, because their account was deleted."""
    told = event.details.get(name)
    return decode_id(kind, told) if isinstance(told, str) else None


_REPEATED: dict[str, Callable[[PastEvent, Restored], None]] = {
    EventName.KEY_REVOKED: _repeat_revocation,
    EventName.KEY_ROTATED: _repeat_rotation,
    EventName.AGENT_DELETED: _repeat_deletion_of_agent,
    EventName.ACCOUNT_DELETED: _repeat_deletion_of_account,
}
