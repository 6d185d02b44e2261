"""The security history: what happened to an account, written in the transaction of what it tells.

No secret ever stands in an event: a key is named by its id and its display prefix.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ragauth import clock
from ragauth.extensions import db
from ragauth.metrics import EVENTS
from ragauth.models import Event
from ragauth.models import events as event_rows
from ragauth.models.base import Page
from ragauth.security.identifiers import new_uuid


class EventName(StrEnum):
    ACCOUNT_CREATED = "account:created"
    ACCOUNT_CHANGED = "account:changed"
    ACCOUNT_DELETED = "account:deleted"
    ACCOUNT_SUSPENDED = "account:suspended"
    ACCOUNT_RESUMED = "account:resumed"
    PLAN_CHANGED = "account:plan_changed"
    LOGIN_SUCCEEDED = "account:login_succeeded"
    LOGIN_FAILED = "account:login_failed"
    SESSION_ENDED = "session:ended"
    SESSIONS_ENDED = "session:all_ended"
    REFRESH_TOKEN_REUSED = "session:refresh_token_reused"  # noqa: S105 - a name, not a secret
    KEY_CREATED = "api_key:created"
    KEY_IMPORTED = "api_key:imported"
    KEY_CHANGED = "api_key:changed"
    KEY_ROTATED = "api_key:rotated"
    KEY_REVOKED = "api_key:revoked"
    AGENT_CREATED = "agent:created"
    AGENT_DELETED = "agent:deleted"


for _name in EventName:
    EVENTS.declare((_name.value,))


@dataclass(frozen=True, slots=True)
class Client:
    """Who is on the other end: the address vouched for, and what the browser calls itself."""

    ip: str | None
    user_agent: str | None


OPERATOR = Client(ip=None, user_agent="operator")


def record(
    name: EventName, *, account_id: uuid.UUID | None, client: Client, **details: Any
) -> None:
    """Add an event to the present transaction."""
    EVENTS.count(name.value)
    db.session.add(
        Event(
            id=new_uuid(),
            account_id=account_id,
            name=name.value,
            at=clock.now(),
            ip=client.ip,
            user_agent=client.user_agent,
            details=details,
        )
    )


def delete_nobodys_events(*, before: datetime, limit: int) -> int:
    """Forget what happened to no account before a moment; returns how many."""
    return event_rows.delete_nobodys(before=before, limit=limit)


def list_events(*, account_id: uuid.UUID, limit: int, cursor: uuid.UUID | None) -> Page[Event]:
    return event_rows.list_events(account_id, limit=limit, cursor=cursor)
