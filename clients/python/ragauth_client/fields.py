"""What callers may say, by the name of the field; a field that is left out is not sent."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Required, TypedDict

Amounts = Mapping[str, int]


class Question(TypedDict, total=False):
    """What a key is asked for, beside the key itself.

    `scope` is one name, or several with spaces between them: all are needed. `cost` is what it
    takes of requests in a day, a month and in total (1). `use` and `reserve` are amounts by meter,
    `limits` the key's named limits: `[{"name": "chat", "cost": 2}]`.
    """

    scope: str | None
    agent_id: str | None
    cost: int | None
    use: Amounts | None
    reserve: Amounts | None
    limits: Sequence[Mapping[str, Any]] | None


class UsageEvent(TypedDict, total=False):
    """What a key used; `id` is yours, and counts once in 48 hours, however often it is sent."""

    id: Required[str]
    key_id: Required[str]
    use: Required[Amounts]
    at: datetime | None


class NewAccount(TypedDict, total=False):
    """`external_id` or `email` is needed, or both."""

    external_id: str | None
    email: str | None
    name: str | None
    plan: str
    metadata: Mapping[str, Any] | None
    limits: Sequence[Mapping[str, Any]] | None


class AccountChanges(TypedDict, total=False):
    """What is left out stays; None takes away."""

    plan: str
    # `active` or `suspended`.
    status: str
    external_id: str | None
    metadata: Mapping[str, Any] | None
    limits: Sequence[Mapping[str, Any]] | None


class NewKey(TypedDict, total=False):
    name: Required[str]
    kind: str
    environment: str
    agent_id: str | None
    scopes: Sequence[str] | None
    expires_at: datetime | None
    allowed_ips: Sequence[str] | None
    allowed_origins: Sequence[str] | None
    limits: Sequence[Mapping[str, Any]] | None
    metadata: Mapping[str, Any] | None


class KeyChanges(TypedDict, total=False):
    """What is left out stays; None takes away."""

    name: str
    is_active: bool
    scopes: Sequence[str] | None
    expires_at: datetime | None
    allowed_ips: Sequence[str] | None
    allowed_origins: Sequence[str] | None
    limits: Sequence[Mapping[str, Any]] | None
    metadata: Mapping[str, Any] | None
