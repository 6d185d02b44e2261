"""API keys: issued, listed, changed, revoked. A raw key is returned once and stored nowhere.

An account's owner and the operator's services call the same functions; `by_operator` tells who
acts. What an operator makes is managed: its owner may see and revoke it, nothing else.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ragauth import clock, transaction
from ragauth.errors import (
    CredentialRevoked,
    InvalidRequest,
    KeyAlreadyRotated,
    KeyIsManaged,
    NoSuchAccount,
    NoSuchAgent,
    NoSuchKey,
    NoSuchKeyspace,
    NotFound,
    RagauthError,
    UsageLimitExceeded,
)
from ragauth.extensions import current_policy, db, settings
from ragauth.metrics import LIMIT_HITS
from ragauth.models import Account, ApiKey, key_counts
from ragauth.models import agents as agent_rows
from ragauth.models import api_keys as key_rows
from ragauth.models import keyspaces as keyspace_rows
from ragauth.models.api_keys import PUBLISHABLE, SECRET, SERVICE
from ragauth.models.base import Page, Shown, insert_object
from ragauth.security import key_format
from ragauth.security.identifiers import new_uuid
from ragauth.services import audit
from ragauth.services.account_lock import hold_account
from ragauth.services.audit import Client, EventName
from ragauth.services.keys import revocation
from ragauth.services.keys.coherence import (
    Limits,
    environment_issues,
    limits_as_told,
    require_coherent,
    require_room_for_limits,
    scope_issues,
    scopes_to_store,
)
from ragauth.services.keys.own_counts import counted_together, owners_of
from ragauth.services.limits.account_limits import begin_new_limits, terms_of
from ragauth.services.limits.usage import bring_last_uses_up_to_date
from ragauth.services.mail.queue import tell_of_key

PRIMARY_KEY_NAME = "Primary"
# Of the contract's fields, those whose columns have another name.
_COLUMNS = {"is_active": "is_enabled", "metadata": "own_data"}


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key with its raw form, which is not stored."""

    key: ApiKey
    raw_key: str


def issue_primary_key(*, account_id: uuid.UUID, client: Client) -> IssuedKey:
    """Make the account's primary key, in the present transaction."""
    issued = add_key(account_id=account_id, name=PRIMARY_KEY_NAME, is_primary=True)
    audit.record_key_event(EventName.KEY_CREATED, issued.key, client)
    return issued


def create_key(
    *,
    account_id: uuid.UUID,
    fields: dict[str, Any],
    agent_id: uuid.UUID | None,
    client: Client,
    by_operator: bool = False,
) -> IssuedKey:
    """Make a further key; an operator's is managed.

    `fields` are those of the contract's POST, and those of `add_key` that it has not. Raises
    NoSuchAgent for an agent of another account, InvalidRequest for a publishable key that could do
    more than a widget may, UsageLimitExceeded if the plan has no room, NoSuchKeyspace; for
    operators NoSuchAccount.
    """
    absent = gone(NoSuchAccount, by_operator=by_operator)
    with transaction.unit_of_work(), changing_keys(account_id, absent=absent) as account:
        if agent_id is not None and agent_rows.find_agent(account_id, agent_id) is None:
            raise NoSuchAgent
        require_coherent(
            kind=fields["kind"],
            environment=fields["environment"],
            allowed_origins=fields.get("allowed_origins"),
            agent_id=agent_id,
            new_expires_at=fields.get("expires_at"),
            further=[
                *environment_issues(account, fields["environment"]),
                *scope_issues(fields["kind"], fields.get("scopes"), is_managed=by_operator),
            ],
        )
        issued = add_key(account_id=account_id, agent_id=agent_id, is_managed=by_operator, **fields)
        audit.record_key_event(EventName.KEY_CREATED, issued.key, client)
        if not by_operator:
            tell_of_key(account, prefix=issued.key.prefix, client=client)
        return issued


def add_key(
    *,
    account_id: uuid.UUID | None,
    name: str,
    kind: str = SECRET,
    environment: str = key_format.LIVE,
    agent_id: uuid.UUID | None = None,
    scopes: list[str] | None = None,
    allowed_ips: list[str] | None = None,
    allowed_origins: list[str] | None = None,
    expires_at: datetime | None = None,
    is_enabled: bool = True,
    is_primary: bool = False,
    is_managed: bool = False,
    unbranded_tag: str | None = None,
    limits: list[dict[str, Any]] | None = None,
    counted_as: uuid.UUID | None = None,
    metadata: dict[str, Any] | None = None,
    keyspace_id: uuid.UUID | None = None,
    key_id: uuid.UUID | None = None,
) -> IssuedKey:
    """Make a key of these properties and add its row to the present transaction.

    Every new key passes here. `counted_as` is the key whose counts it goes on with, `key_id` an id
    for which something was written already. Raises InvalidRequest for a test key if the plan has
    none, NoSuchKeyspace.
    """
    require_keyspace(keyspace_id)
    if account_id is not None and environment == key_format.TEST:
        require_environment(hold_account(account_id), environment)
    branded = {PUBLISHABLE: key_format.PUBLISHABLE, SERVICE: key_format.SERVICE}
    raw_key = (
        key_format.new_key(settings().key_brand, branded.get(kind, environment))
        if unbranded_tag is None
        else key_format.new_key_after(unbranded_tag)
    )
    key = ApiKey(
        id=key_id or new_uuid(),
        account_id=account_id,
        agent_id=agent_id,
        digest=key_format.digest_key(raw_key),
        prefix=key_format.display_prefix(raw_key),
        kind=kind,
        environment=environment,
        name=name,
        scopes=scopes_to_store(kind, scopes),
        allowed_ips=allowed_ips,
        allowed_origins=allowed_origins,
        is_enabled=is_enabled,
        is_primary=is_primary,
        is_managed=is_managed,
        created_at=clock.now(),
        expires_at=expires_at,
        limits=limits,
        counted_as=counted_as,
        own_data=metadata,
        keyspace_id=keyspace_id,
    )
    insert_object(key)
    return IssuedKey(key=key, raw_key=raw_key)


def list_keys(
    *,
    account_id: uuid.UUID,
    agent_id: uuid.UUID | None,
    include_revoked: bool,
    limit: int,
    cursor: uuid.UUID | None,
    idle_days: int | None = None,
) -> Page[Shown]:
    """List the account's keys; raises NoSuchAgent for an agent of another account.

    `idle_days` selects the keys that were made, and last used, at least that many days ago.
    """
    bring_last_uses_up_to_date(account_id)
    with transaction.read_only():
        if agent_id is not None and agent_rows.find_agent(account_id, agent_id) is None:
            raise NoSuchAgent
        return key_rows.list_keys(
            account_id,
            agent_id=agent_id,
            include_revoked=include_revoked,
            idle_since=None if idle_days is None else clock.now() - timedelta(days=idle_days),
            limit=limit,
            cursor=cursor,
        )


def count_keys(*, account_id: uuid.UUID, include_revoked: bool) -> int:
    with transaction.read_only():
        return key_rows.count_keys(account_id, include_revoked=include_revoked)


def show_key(*, account_id: uuid.UUID, key_id: uuid.UUID, include_revoked: bool) -> ApiKey:
    """Raises NoSuchKey, for another account's too."""
    bring_last_uses_up_to_date(account_id)
    with transaction.read_only():
        return get_key(account_id=account_id, key_id=key_id, include_revoked=include_revoked)


def get_key(*, account_id: uuid.UUID, key_id: uuid.UUID, include_revoked: bool = False) -> ApiKey:
    """Find one key of the account in the present transaction; raises NoSuchKey."""
    key = key_rows.find_key(account_id, key_id, include_revoked=include_revoked)
    if key is None:
        raise NoSuchKey
    return key


def get_changeable_key(*, account_id: uuid.UUID, key_id: uuid.UUID, by_operator: bool) -> ApiKey:
    """Find one live key that the acting one may change, in the present transaction.

    Raises NoSuchKey, and KeyIsManaged for the owner of a managed key.
    """
    key = get_key(account_id=account_id, key_id=key_id)
    if key.is_managed and not by_operator:
        raise KeyIsManaged
    return key


def gone(missing: type[NotFound], *, by_operator: bool) -> type[RagauthError]:
    """What is raised for an account that was deleted since the request began.

    Its owner's token is revoked by then, but an operator's credential is not.
    """
    return missing if by_operator else CredentialRevoked


def change_key(
    *,
    account_id: uuid.UUID,
    key_id: uuid.UUID,
    changes: dict[str, Any],
    client: Client,
    by_operator: bool = False,
    change_limits: Callable[[Limits], Limits] | None = None,
) -> ApiKey:
    """Change what a live key may do; takes effect on the next check.

    Limits among the changes take the place of all that the key has; `change_limits` makes its new
    ones of those that it has when it is locked, so that nothing of another change at once is lost.
    Raises as `get_changeable_key` does, KeyAlreadyRotated for a later end of a key that was rotated
    and is in its grace, UsageLimitExceeded for a later end of an expired key if the plan has no
    room.
    """
    bring_last_uses_up_to_date(account_id)
    absent = gone(NoSuchKey, by_operator=by_operator)
    with transaction.unit_of_work(), changing_keys(account_id, absent=absent) as account:
        key = get_changeable_key(account_id=account_id, key_id=key_id, by_operator=by_operator)
        if change_limits is not None:
            changes = {**changes, "limits": change_limits(key.limits)}
            require_room_for_limits(changes["limits"])
        elif "limits" in changes:
            limits = limits_as_told(key.limits, changes["limits"], by_operator=by_operator)
            changes = {**changes, "limits": limits}
        counted = _counted_limits(key) if "limits" in changes else key.limits
        is_longer = "expires_at" in changes and _is_later(changes["expires_at"], key.expires_at)
        if key.replaced_by is not None and is_longer:
            raise KeyAlreadyRotated
        for field, value in changes.items():
            setattr(key, _COLUMNS.get(field, field), value)
        require_coherent(
            kind=key.kind,
            environment=key.environment,
            allowed_origins=key.allowed_origins,
            agent_id=key.agent_id,
            new_expires_at=changes.get("expires_at"),
            further=scope_issues(key.kind, key.scopes, is_managed=key.is_managed)
            if "scopes" in changes
            else (),
        )
        key.scopes = scopes_to_store(key.kind, key.scopes)
        begin_new_limits(
            owners_of(key),
            (key.environment,),
            before=terms_of(account.plan, account.limits, counted),
            after=terms_of(account.plan, account.limits, key.limits),
        )
        if changes:
            audit.record_key_event(EventName.KEY_CHANGED, key, client, fields=sorted(changes))
        return key


def _counted_limits(key: ApiKey) -> list[dict[str, Any]]:
    """The limits that a check may count in now: the key's, and of those that it counts with.

    In the present transaction.
    """
    return [limit for each in counted_together(key) for limit in each.limits or ()]


def revoke_key(
    *, account_id: uuid.UUID, key_id: uuid.UUID, client: Client, by_operator: bool = False
) -> None:
    """Revoke a key, a managed one too; raises NoSuchKey if it is revoked already."""
    with transaction.unit_of_work():
        hold_account(account_id, absent=gone(NoSuchKey, by_operator=by_operator))
        key = get_key(account_id=account_id, key_id=key_id)
        if not revocation.revoke(key, client):
            raise NoSuchKey


@contextmanager
def changing_keys(
    account_id: uuid.UUID, *, absent: type[RagauthError] = CredentialRevoked
) -> Iterator[Account]:
    """Hold the account's lock, and keep its plan's maximum, while the block changes its keys.

    In the present transaction. Raises `absent` for a deleted account.
    """
    account = hold_account(account_id, absent=absent)
    with keeping_to_maxima([account]):
        yield account


@contextmanager
def keeping_to_maxima(accounts: Sequence[Account]) -> Iterator[None]:
    """Keep the plans' maximum numbers of keys while the block changes the keys of these accounts.

    In the present transaction; the caller holds the accounts' locks. This is the only place of the
    rule: after the block no more keys count than the plan allows, or than counted before. So a key
    needs room however it begins to count, and a key that replaces another needs none. Raises
    UsageLimitExceeded; nothing of the block is kept then.
    """
    now, account_ids = clock.now(), [account.id for account in accounts]
    before = key_counts.count_live_keys(account_ids, now=now)
    yield
    db.session.flush()
    after = key_counts.count_live_keys(account_ids, now=now)
    for account in accounts:
        size = _max_keys(account)
        if after[account.id] > max(before[account.id], size):
            LIMIT_HITS.count("max_keys")
            raise UsageLimitExceeded(
                f"The plan's maximum number of live keys ({size}) is reached",
                details={"limit": "max_keys", "size": size},
            )


def require_environment(account: Account, environment: str) -> None:
    """Raise InvalidRequest for a test key if the account's plan has no test keys."""
    if issues := environment_issues(account, environment):
        raise InvalidRequest([{"path": path, "message": message} for path, message in issues])


def require_keyspace(keyspace_id: uuid.UUID | None) -> None:
    """Keep a keyspace from being deleted while the present transaction adds a key to it.

    Before any key is locked. Raises NoSuchKeyspace.
    """
    if keyspace_id is None:
        return
    if keyspace_rows.lock_keyspace(keyspace_id, to_delete=False) is None:
        raise NoSuchKeyspace


def rooms_of(accounts: Sequence[Account]) -> dict[uuid.UUID, int]:
    """How many more keys the plan of each account has room for, in the present transaction."""
    counts = key_counts.count_live_keys([account.id for account in accounts], now=clock.now())
    return {account.id: max(0, _max_keys(account) - counts[account.id]) for account in accounts}


def _max_keys(account: Account) -> int:
    return current_policy().plan(account.plan).max_keys


def _is_later(expires_at: datetime | None, than: datetime | None) -> bool:
    """Whether the first end is later than the second; None is never."""
    return than is not None and (expires_at is None or expires_at > than)
