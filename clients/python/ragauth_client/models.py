"""What ragauth answers, as frozen dataclasses.

A field that a newer ragauth has and this client does not know is left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
Headers = Mapping[str, str]
Object = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is read from a JSON object; times (`…_at`) are read as datetimes in UTC."""

    @classmethod
    def read(cls, data: Object) -> Self:
        """Raises TypeError or ValueError for what ragauth does not answer."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: _value(name, data[name]) for name in known & data.keys()})


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name.endswith("_at") and value else value


@dataclass(frozen=True, kw_only=True)
class Verdict(Model):
    """Whether a key may do what was asked.

    `status`, `headers` and `body` are for the caller: the whole answer where the key is refused;
    where it is valid, `headers` tell him what is left of his limits.
    """

    valid: bool
    # `VALID`, or the code of the refusal.
    code: str
    status: int
    headers: Headers
    body: Object | None = None
    reason: str | None = None
    message: str | None = None
    details: Object | None = None
    account_id: str | None = None
    key_id: str | None = None
    # The agent that the key is bound to; None for a whole account's key.
    agent_id: str | None = None
    plan: str | None = None
    features: Sequence[str] | None = None
    scopes: Sequence[str] | None = None
    environment: str | None = None
    expires_at: datetime | None = None
    metadata: Object | None = None
    reservation_id: str | None = None
    # ragauth was out of reach, and `on_unavailable="allow"` let the request in: whose key it is,
    # and whether it is one, is not known, and nothing was counted.
    is_unchecked: bool = False

    @classmethod
    def read(cls, data: Object) -> Self:
        """Fails closed: what is not plainly valid is no verdict, or a refusal."""
        verdict = super().read(data)
        if verdict.valid is not (verdict.status < 400):
            raise ValueError("a verdict must be valid, or tell the status of a refusal")
        return verdict

    @property
    def content(self) -> bytes:
        """The body as JSON."""
        return json.dumps(self.body, separators=(",", ":")).encode("ascii")

    @classmethod
    def refusal(
        cls, status: int, code: str, message: str, *, headers: Headers, **details: str
    ) -> Self:
        """A refusal that ragauth was not asked for, in the form of its own."""
        error: dict[str, Any] = {"code": code, "message": message}
        if details:
            error["details"] = details
        return cls(
            valid=False,
            code=code,
            status=status,
            headers=headers,
            body={"error": error},
            reason=details.get("reason"),
            message=message,
            details=details or None,
        )


@dataclass(frozen=True, kw_only=True)
class Settlement(Model):
    """What a reservation came to, by meter; `released` was given back."""

    reservation_id: str
    used: Mapping[str, int]
    released: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Report(Model):
    """How many events were counted now and before; `rejected` has `id` and `reason` of the rest."""

    accepted: int
    known: int
    rejected: Sequence[Object]


@dataclass(frozen=True, kw_only=True)
class Account(Model):
    id: str
    plan: str
    created_at: datetime
    email: str | None = None
    username: str | None = None
    name: str | None = None
    email_verified: bool = False
    # `active`, `suspended` or `deleted`.
    status: str = "active"
    limits: Sequence[Object] | None = None
    external_id: str | None = None
    metadata: Object | None = None


@dataclass(frozen=True, kw_only=True)
class Key(Model):
    """A key without its raw form. `scopes` None stands for all that an owner can give."""

    id: str
    name: str
    prefix: str
    kind: str
    environment: str
    is_active: bool
    is_primary: bool
    created_at: datetime
    managed: bool = False
    agent_id: str | None = None
    scopes: Sequence[str] | None = None
    allowed_ips: Sequence[str] | None = None
    allowed_origins: Sequence[str] | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    replaced_by: str | None = None
    limits: Sequence[Object] | None = None
    metadata: Object | None = None


@dataclass(frozen=True, kw_only=True)
class IssuedKey(Key):
    """A new key with its raw form, which is never shown again; its `repr` does not show it."""

    api_key: str

    def __repr__(self) -> str:
        return f"IssuedKey(id={self.id!r}, prefix={self.prefix!r})"


@dataclass(frozen=True)
class Page(Generic[T]):
    """Newest first; `next_cursor` asks for what follows, None at the end."""

    items: Sequence[T]
    next_cursor: str | None
