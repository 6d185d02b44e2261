"""Replacing a key by another: at once, or with a grace in which both work."""

import uuid
from datetime import timedelta

from ragauth import clock, transaction
from ragauth.errors import KeyAlreadyRotated, NoSuchKey
from ragauth.extensions import db, settings
from ragauth.models import ApiKey
from ragauth.models import api_keys as key_rows
from ragauth.security import key_format
from ragauth.security.identifiers import KEY, encode_id
from ragauth.services import audit
from ragauth.services.audit import Client, EventName
from ragauth.services.keys import api_keys, revocation
from ragauth.services.keys.api_keys import IssuedKey
from ragauth.services.mail.queue import tell_of_key


def regenerate_primary_key(*, account_id: uuid.UUID, client: Client) -> IssuedKey:
    """Make a new primary key, restricted as the old one was; the old one is dead at once.

    Each of several simultaneous calls returns a key, and the key of the last one stays alive.
    Raises UsageLimitExceeded if there was no live primary key and the plan has no room.
    """
    with transaction.unit_of_work(), api_keys.changing_keys(account_id) as account:
        old_key = key_rows.find_primary(account_id)
        if old_key is None:
            issued = api_keys.issue_primary_key(account_id=account_id, client=client)
        else:
            _end_predecessors(old_key, client)
            old_key.revoked_at = clock.now()
            old_key.is_primary = False
            # The old row is updated before the new one is inserted: a unique index allows one live
            # primary key an account.
            db.session.flush()
            issued = api_keys.add_key(
                account_id=account_id,
                name=old_key.name,
                environment=old_key.environment,
                agent_id=old_key.agent_id,
                scopes=old_key.scopes,
                allowed_ips=old_key.allowed_ips,
                limits=old_key.limits,
                counted_as=old_key.counted_as or old_key.id,
                is_primary=True,
                unbranded_tag=_unbranded_tag(old_key),
                metadata=old_key.own_data,
            )
            _link(old_key, issued, client, grace_seconds=0)
        tell_of_key(account, prefix=issued.key.prefix, client=client)
        return issued


def rotate_key(
    *,
    account_id: uuid.UUID,
    key_id: uuid.UUID,
    grace_seconds: int,
    client: Client,
    by_operator: bool = False,
) -> IssuedKey:
    """Make a new key with the properties of the old one, which works until the grace ends.

    What an operator makes is managed, whosever the old key was, and a managed key is never the
    primary one: its owner can make another in its place.

    If the old key has itself a predecessor in grace, that one ends now: a live key has at most one
    predecessor in grace (S45). Raises NoSuchKey for a dead or expired key, KeyIsManaged for an
    owner who tries it with a managed one, KeyAlreadyRotated for a key that is in its grace.
    """
    absent = api_keys.gone(NoSuchKey, by_operator=by_operator)
    with transaction.unit_of_work(), api_keys.changing_keys(account_id, absent=absent) as account:
        old_key = api_keys.get_changeable_key(
            account_id=account_id, key_id=key_id, by_operator=by_operator
        )
        if old_key.replaced_by is not None:
            raise KeyAlreadyRotated
        now = clock.now()
        if old_key.expires_at is not None and old_key.expires_at <= now:
            raise NoSuchKey("The key has expired; make a new one in its place")
        api_keys.require_keyspace(old_key.keyspace_id)
        _end_predecessors(old_key, client)
        was_primary = old_key.is_primary
        expires_at = old_key.expires_at
        old_key.is_primary = False
        if grace_seconds == 0:
            old_key.revoked_at = now
        else:
            grace_ends_at = now + timedelta(seconds=grace_seconds)
            old_key.expires_at = min(expires_at or grace_ends_at, grace_ends_at)
        db.session.flush()
        issued = api_keys.add_key(
            account_id=account_id,
            name=old_key.name,
            kind=old_key.kind,
            environment=old_key.environment,
            agent_id=old_key.agent_id,
            scopes=old_key.scopes,
            allowed_ips=old_key.allowed_ips,
            allowed_origins=old_key.allowed_origins,
            limits=old_key.limits,
            counted_as=old_key.counted_as or old_key.id,
            keyspace_id=old_key.keyspace_id,
            expires_at=expires_at,
            is_enabled=old_key.is_enabled,
            is_primary=was_primary and not by_operator,
            is_managed=by_operator,
            unbranded_tag=_unbranded_tag(old_key),
            metadata=old_key.own_data,
        )
        _link(old_key, issued, client, grace_seconds=grace_seconds)
        if not by_operator:
            tell_of_key(account, prefix=issued.key.prefix, client=client)
        return issued


def _unbranded_tag(key: ApiKey) -> str | None:
    """What the key's successor begins with; one of another system begins as ours do."""
    tag = key_format.unbranded_tag(key.prefix, settings().key_brand)
    return None if key.is_imported and tag not in key_format.UNBRANDED else tag


def _end_predecessors(key: ApiKey, client: Client) -> None:
    """End the grace of the keys that this key replaced, before it is replaced itself."""
    for predecessor in key_rows.list_predecessors(key, now=clock.now()):
        revocation.revoke(predecessor, client, by="rotation")


def _link(old_key: ApiKey, issued: IssuedKey, client: Client, *, grace_seconds: int) -> None:
    old_key.replaced_by = issued.key.id
    audit.record_key_event(
        EventName.KEY_ROTATED,
        issued.key,
        client,
        replaced_id=encode_id(KEY, old_key.id),
        replaced_prefix=old_key.prefix,
        grace_seconds=grace_seconds,
    )
