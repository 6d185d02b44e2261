"""Each call of ragauth, described once; `Client` and `AsyncClient` have it as a method.

An account is named by its id (`acc_…`) or by `by_external_id(…)`. A POST carries an
Idempotency-Key of its own: give one that you keep, if you repeat a call yourself.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, Unpack
from urllib.parse import quote

from ragauth_client.errors import InvalidRequest, RagauthError
from ragauth_client.exchange import Call, Settings, is_outage, log
from ragauth_client.fields import (
    AccountChanges,
    Amounts,
    KeyChanges,
    NewAccount,
    NewKey,
    Question,
    UsageEvent,
)
from ragauth_client.models import (
    Account,
    IssuedKey,
    Key,
    Model,
    Page,
    Report,
    Settlement,
    Verdict,
)

M = TypeVar("M", bound=Model)

_ACCOUNTS = "/api/v1/internal/accounts"
_KEYS = "/api/v1/internal/api-keys"
# No key is longer; a text that is cut here is refused as the whole would be.
_LONGEST_KEY = 4096
_RETRY_AFTER = {"Retry-After": "2"}


def by_external_id(external_id: str) -> str:
    """Name an account by your own id for it, wherever its id may stand."""
    return f"ext:{external_id}"


def verify(
    key: str,
    *,
    client_ip: str | None = None,
    origin: str | None = None,
    **question: Unpack[Question],
) -> Call[Verdict]:
    """Ask whether a key may do this, and count it if so (scope `verify`).

    A refusal is a verdict, not an error. So is an outage: with `on_unavailable="refuse"` the
    verdict is 503, with "allow" it is valid and `is_unchecked`. It is over within `verify_timeout`
    and is never sent twice, since the first one may have been counted. Raises InvalidRequest for a
    question that ragauth does not understand, as a scope that its policy does not declare.
    """
    return Call(
        "POST",
        "/api/v1/keys/verify",
        _data(Verdict),
        body=_body(key=key[:_LONGEST_KEY], client_ip=client_ip, origin=origin, **question),
        is_repeatable=False,
        otherwise=_not_asked,
    )


def _not_asked(failure: RagauthError, settings: Settings) -> Verdict:
    """The verdict where ragauth gave none."""
    if isinstance(failure, InvalidRequest):
        raise failure
    if is_outage(failure) and settings.on_unavailable == "allow":
        log.warning("let in without a check: %s", failure)
        return Verdict(valid=True, code="VALID", status=200, headers={}, is_unchecked=True)
    # A service key that is refused, or another server at the URL, is no outage: it would let in
    # everybody, for good.
    log.error("refused without a check: %s", failure)
    message = "The request cannot be authorised at the moment"
    return Verdict.refusal(503, "EXTERNAL_SERVICE_ERROR", message, headers=_RETRY_AFTER)


def settle(reservation_id: str, use: Amounts) -> Call[Settlement]:
    """Replace what a check reserved by what was used; the rest is given back (scope `verify`).

    The same call again has the same answer. Raises Conflict for another amount, and for a
    reservation that has ended; NotFound for an unknown one.
    """
    body = {"reservation_id": reservation_id, "use": dict(use)}
    return Call("POST", "/api/v1/usage/settle", _data(Settlement), body=body)


def report(events: Iterable[UsageEvent]) -> Call[Report]:
    """Count what 1 to 1,000 events of the last 48 hours used, each id once (scope `verify`)."""
    body = {"events": [_body(**event) for event in events]}
    return Call("POST", "/api/v1/usage/report", _data(Report), body=body)


def create_account(
    *, idempotency_key: str | None = None, **account: Unpack[NewAccount]
) -> Call[Account]:
    """Make an account for a customer (scope `accounts`).

    Raises Conflict where the e-mail or the external id is taken.
    """
    return _post(_ACCOUNTS, Account, _body(**account), idempotency_key)


def get_account(account: str) -> Call[Account]:
    return Call("GET", _path(_ACCOUNTS, account), _data(Account))


def list_accounts(
    *,
    email: str | None = None,
    external_id: str | None = None,
    plan: str | None = None,
    status: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[Page[Account]]:
    """Accounts that fit all that is given, up to `limit` of them (50; 1 to 100)."""
    query = {"email": email, "external_id": external_id, "plan": plan, "status": status}
    query_of_page = {"limit": limit, "cursor": cursor}
    return Call("GET", _ACCOUNTS, _page(Account), query={**query, **query_of_page})


def change_account(account: str, **changes: Unpack[AccountChanges]) -> Call[Account]:
    """Set plan, status, limits, external id or metadata; takes effect at the next check."""
    return Call("PATCH", _path(_ACCOUNTS, account), _data(Account), body=_body(**changes))


def delete_account(account: str) -> Call[None]:
    """Erase an account; its keys and sessions are dead at once."""
    return Call("DELETE", _path(_ACCOUNTS, account), _nothing)


def create_key(
    account: str, *, idempotency_key: str | None = None, **key: Unpack[NewKey]
) -> Call[IssuedKey]:
    """Make a managed key (scope `keys`); its raw form is shown this once.

    Raises UsageLimitExceeded where the plan has no room for another one.
    """
    return _post(_path(_ACCOUNTS, account, "api-keys"), IssuedKey, _body(**key), idempotency_key)


def list_keys(
    account: str,
    *,
    agent_id: str | None = None,
    include_revoked: bool = False,
    idle_days: int | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[Page[Key]]:
    """The account's keys, managed ones and its owner's, up to `limit` of them (50; 1 to 100).

    With `idle_days` only those that were not used for so many days.
    """
    query = {"agent_id": agent_id, "idle_days": idle_days, **_dead(include_revoked)}
    query_of_page = {"limit": limit, "cursor": cursor}
    path = _path(_ACCOUNTS, account, "api-keys")
    return Call("GET", path, _page(Key), query={**query, **query_of_page})


def get_key(key_id: str, *, include_revoked: bool = False) -> Call[Key]:
    return Call("GET", _path(_KEYS, key_id), _data(Key), query=_dead(include_revoked))


def change_key(key_id: str, **changes: Unpack[KeyChanges]) -> Call[Key]:
    """Change what a key may do; takes effect on its next request."""
    return Call("PATCH", _path(_KEYS, key_id), _data(Key), body=_body(**changes))


def rotate_key(
    key_id: str, *, grace_seconds: int = 0, idempotency_key: str | None = None
) -> Call[IssuedKey]:
    """Replace a key; the old one works for `grace_seconds` (0 to 604,800)."""
    body = {"grace_seconds": grace_seconds}
    return _post(_path(_KEYS, key_id, "rotate"), IssuedKey, body, idempotency_key)


def revoke_key(key_id: str) -> Call[None]:
    """Revoke a key; it is dead as soon as this returns."""
    return Call("DELETE", _path(_KEYS, key_id), _nothing)


def _dead(include_revoked: bool) -> dict[str, str | None]:
    return {"include_revoked": "true" if include_revoked else None}


def _post(
    path: str, model: type[M], body: Mapping[str, Any], idempotency_key: str | None
) -> Call[M]:
    key = idempotency_key or str(uuid.uuid4())
    if not (len(key) <= 255 and key.isascii() and key.isprintable()):
        raise ValueError("an Idempotency-Key has 1 to 255 printable ASCII characters")
    return Call("POST", path, _data(model), body=body, idempotency_key=key)


def _path(base: str, name: str, *more: str) -> str:
    """A path with a name as one segment; an empty one, or dots, would make it another path."""
    if name.strip(".") == "":
        raise ValueError(f"{name!r} is no id")
    return "/".join((base, quote(name, safe=":"), *more))


def _body(**given: Any) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in given.items()
    }


def _data(model: type[M]) -> Callable[[Any], M]:
    return lambda answer: model.read(answer["data"])


def _page(model: type[M]) -> Callable[[Any], Page[M]]:
    return lambda answer: Page(
        [model.read(item) for item in answer["data"]], answer["meta"]["next_cursor"]
    )


def _nothing(_answer: Any) -> None:
    return None
