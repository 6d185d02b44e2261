"""The security history: events of an account, written in the transaction that they are about.

An event never contains a secret: a key is named by its id and its display prefix.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ragauth import clock, transaction
from ragauth.metrics import EVENTS
from ragauth.models import ApiKey
from ragauth.models import events as event_rows
from ragauth.models.base import Page, Shown
from ragauth.security.identifiers import KEY, encode_id, new_uuid, new_uuids
from ragauth.services.webhooks.messages import queue_message
from ragauth.services.webhooks.types import MessageType


class EventName(StrEnum):
    ACCOUNT_CREATED = "account:created"
    ACCOUNT_CHANGED = "account:changed"
    ACCOUNT_DELETED = "account:deleted"
    ACCOUNT_SUSPENDED = "account:suspended"
    ACCOUNT_RESUMED = "account:resumed"
    PASSWORD_CHANGED = "account:password_changed"  # noqa: S105 - a name, not a secret
    PASSWORD_RESET_REQUESTED = "account:password_reset_requested"  # noqa: S105
    PASSWORD_RESET = "account:password_reset"  # noqa: S105
    STARTED_CLEAN = "account:started_clean"
    EMAIL_VERIFIED = "account:email_verified"
    EMAIL_CHANGE_REQUESTED = "account:email_change_requested"
    EMAIL_CHANGED = "account:email_changed"
    MAIL_GIVEN_UP = "account:mail_given_up"
    PLAN_CHANGED = "account:plan_changed"
    LIMITS_CHANGED = "account:limits_changed"
    LIMIT_WARNED = "limit:warned"
    LIMIT_REACHED = "limit:reached"
    LOGIN_SUCCEEDED = "account:login_succeeded"
    LOGIN_FAILED = "account:login_failed"
    SECOND_FACTOR_ADDED = "account:second_factor_added"
    SECOND_FACTOR_REMOVED = "account:second_factor_removed"
    SECOND_FACTOR_FAILED = "account:second_factor_failed"
    RECOVERY_CODE_USED = "account:recovery_code_used"
    RECOVERY_CODES_LOW = "account:recovery_codes_low"
    RECOVERY_CODES_RENEWED = "account:recovery_codes_renewed"
    SESSION_ENDED = "session:ended"
    SESSIONS_ENDED = "session:all_ended"
    REFRESH_TOKEN_REUSED = "session:refresh_token_reused"  # noqa: S105 - a name, not a secret
    REFRESH_REFUSED = "session:refresh_refused"
    KEY_CREATED = "api_key:created"
    KEY_IMPORTED = "api_key:imported"
    KEY_CHANGED = "api_key:changed"
    KEY_ROTATED = "api_key:rotated"
    KEY_REVOKED = "api_key:revoked"
    KEY_EXPIRED = "api_key:expired"
    KEY_LEAKED = "api_key:leaked"
    AGENT_CREATED = "agent:created"
    AGENT_DELETED = "agent:deleted"
    SIGNING_KEY_CREATED = "signing_key:created"
    SIGNING_KEY_RETIRED = "signing_key:retired"
    WEBHOOK_ADDED = "webhook:added"
    WEBHOOK_CHANGED = "webhook:changed"
    WEBHOOK_REMOVED = "webhook:removed"
    WEBHOOK_SECRET_ROTATED = "webhook:secret_rotated"  # noqa: S105 - a name, not a secret


#: The events that webhooks are told of, each with the type of its message.
_MESSAGES = {
    EventName.ACCOUNT_CREATED: MessageType.ACCOUNT_CREATED,
    EventName.ACCOUNT_DELETED: MessageType.ACCOUNT_DELETED,
    EventName.ACCOUNT_SUSPENDED: MessageType.ACCOUNT_SUSPENDED,
    EventName.ACCOUNT_RESUMED: MessageType.ACCOUNT_RESUMED,
    EventName.PLAN_CHANGED: MessageType.PLAN_CHANGED,
    EventName.KEY_CREATED: MessageType.KEY_CREATED,
    EventName.KEY_REVOKED: MessageType.KEY_REVOKED,
    EventName.KEY_ROTATED: MessageType.KEY_ROTATED,
    EventName.KEY_EXPIRED: MessageType.KEY_EXPIRED,
    EventName.KEY_LEAKED: MessageType.KEY_LEAKED,
    EventName.LIMIT_WARNED: MessageType.LIMIT_WARNED,
    EventName.LIMIT_REACHED: MessageType.LIMIT_REACHED,
    EventName.REFRESH_TOKEN_REUSED: MessageType.SESSION_REUSE_DETECTED,
}

for _name in EventName:
    EVENTS.declare((_name.value,))


@dataclass(frozen=True, slots=True)
class Client:
    """The client: its trusted address and its user agent.

    `user_agent` may be stored and shown: it is cut, and without credentials. `user_agent_digest` is
    the SHA-256 of the whole header, or of an empty one if it is missing; only a request has it.
    """

    ip: str | None
    user_agent: str | None
    user_agent_digest: bytes | None = None


OPERATOR = Client(ip=None, user_agent="operator")


def record(
    name: EventName, *, account_id: uuid.UUID | None, client: Client, **details: Any
) -> None:
    """Add an event to the present transaction, and the messages to webhooks that tell of it.

    It is counted in the metrics after the commit.
    """
    transaction.when_committed(lambda: EVENTS.count(name.value))
    event_rows.add(
        id=new_uuid(),
        account_id=account_id,
        name=name.value,
        at=clock.now(),
        ip=client.ip,
        user_agent=client.user_agent,
        details=details,
    )
    if kind := _MESSAGES.get(name):
        queue_message(kind, account_id=account_id, details=details)


def record_imported_keys(keys: Sequence[Mapping[str, Any]], client: Client) -> None:
    """Record the events of thousands of imported keys at once, without the ORM.

    Webhooks are not told: who imports keys knows them.
    """
    if not keys:
        return
    name, at = EventName.KEY_IMPORTED.value, clock.now()
    transaction.when_committed(lambda: EVENTS.count(name, by=len(keys)))
    event_rows.add_all(
        [
            {
                "id": event_id,
                "account_id": key["account_id"],
                "name": name,
                "at": at,
                "ip": client.ip,
                "user_agent": client.user_agent,
                "details": _name_key(key["id"], key["prefix"]),
            }
            for event_id, key in zip(new_uuids(len(keys)), keys, strict=True)
        ]
    )


def _name_key(key_id: uuid.UUID, prefix: str) -> dict[str, str]:
    return {"key_id": encode_id(KEY, key_id), "prefix": prefix}


def list_events(*, account_id: uuid.UUID, limit: int, cursor: uuid.UUID | None) -> Page[Shown]:
    with transaction.read_only():
        return event_rows.list_events(account_id, limit=limit, cursor=cursor)


def record_key_event(name: EventName, key: ApiKey, client: Client, **details: Any) -> None:
    """Record an event about a key."""
    record(
        name,
        account_id=key.account_id,
        client=client,
        **_name_key(key.id, key.prefix),
        **details,
    )
