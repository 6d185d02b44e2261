"""What operators do with keys of any owner: find and revoke them."""

import uuid

from ragauth import transaction
from ragauth.errors import NoSuchKey, NotFound
from ragauth.extensions import db, settings
from ragauth.models import ApiKey
from ragauth.models import accounts as account_rows
from ragauth.models import api_keys as key_rows
from ragauth.models.api_keys import LONGEST_PREFIX
from ragauth.models.base import Page
from ragauth.security import key_format
from ragauth.security.identifiers import KEY, SUFFIX_LENGTH, decode_id
from ragauth.security.key_faults import explain_no_key
from ragauth.services.account_lock import hold_account
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import revocation
from ragauth.services.keys.presented import find_presented_id
from ragauth.services.limits.usage import bring_last_uses_up_to_date


def find_named(named: str, *, limit: int) -> list[ApiKey]:
    """The key with this `key_` id or raw form, or else the keys with this display prefix.

    For a prefix, the live keys, or the revoked ones if none is live. Raises NotFound, which tells
    what is wrong with the form if anything is.
    """
    bring_last_uses_up_to_date()
    try:
        key_id: uuid.UUID | None = decode_id(KEY, named)
    except ValueError:
        key_id = find_presented_id(named)
    with transaction.read_only():
        key = None if key_id is None else db.session.get(ApiKey, key_id)
        if key is not None:
            return [key]
        prefix = _storable(_without_dots(named))
        for include_revoked in (False, True) if prefix else ():
            which = {"is_whole": True, "include_revoked": include_revoked}
            found = key_rows.list_by_prefix(prefix, **which, limit=limit, cursor=None).items
            if found:
                return [*found]
        raise NotFound(_find_fault(named) or "there is no such key")


def find_keys(
    prefix: str, *, include_revoked: bool, limit: int, cursor: uuid.UUID | None
) -> Page[ApiKey]:
    """The keys of all accounts and services whose display prefix begins so, newest first.

    For the raw form of a key, that key.
    """
    bring_last_uses_up_to_date()
    key = _find_raw(prefix, include_revoked=include_revoked)
    if key is not None:
        return Page([key], None)
    with transaction.read_only():
        return key_rows.list_by_prefix(
            _shown_part(prefix),
            is_whole=False,
            include_revoked=include_revoked,
            limit=limit,
            cursor=cursor,
        )


def find_customers_keys(
    *, prefix: str, include_revoked: bool, limit: int, cursor: uuid.UUID | None
) -> Page[ApiKey]:
    """The keys of all accounts, without those of services, whose prefix begins so, newest first."""
    bring_last_uses_up_to_date()
    with transaction.read_only():
        return key_rows.list_customers_by_prefix(
            prefix, include_revoked=include_revoked, limit=limit, cursor=cursor
        )


def _find_raw(text: str, *, include_revoked: bool) -> ApiKey | None:
    key_id = find_presented_id(text)
    if key_id is None:
        return None
    with transaction.read_only():
        key = db.session.get(ApiKey, key_id)
    return key if key is not None and (include_revoked or key.revoked_at is None) else None


def count_keys(prefix: str, *, include_revoked: bool) -> int:
    """How many keys `find_keys` finds in total."""
    with transaction.read_only():
        return key_rows.count_by_prefix(_shown_part(prefix), include_revoked=include_revoked)


def _shown_part(text: str) -> str:
    """The stored part of a display prefix or of a key; raises NotFound if there is none."""
    text = _without_dots(text)
    start = key_format.find_start(text, settings().key_brand)
    if start is not None:
        text = text[: len(start) + key_format.SHOWN_LENGTH]
    if not _storable(text):
        raise NotFound("no key has such a prefix")
    return text


def _without_dots(text: str) -> str:
    """Remove the dots that stand for the hidden rest of a key."""
    return text.removesuffix("…").removesuffix("...")


def _storable(text: str) -> str:
    """The text if a row can hold it, else ""."""
    return text if text.isprintable() and len(text) <= LONGEST_PREFIX else ""


def _find_fault(named: str) -> str | None:
    """What is wrong with the form of text that was meant as an id or a key."""
    if named.startswith(f"{KEY}_"):
        found = len(named) - len(f"{KEY}_")
        is_whole = found == SUFFIX_LENGTH
        return (
            None if is_whole else f"{SUFFIX_LENGTH} characters after {KEY}_ expected, {found} found"
        )
    brand = settings().key_brand
    start = key_format.find_start(named, brand)
    is_prefix = start is not None and len(named) == len(start) + key_format.SHOWN_LENGTH
    return None if is_prefix else explain_no_key(named, brand)


def find_owner(key_id: uuid.UUID) -> uuid.UUID:
    """The account that a key belongs to; raises NoSuchKey, for the key of a service too."""
    with transaction.read_only():
        account_id = key_rows.find_owner(key_id)
        if account_id is None or account_rows.find_account(account_id) is None:
            raise NoSuchKey
    return account_id


def revoke_key(*, key_id: uuid.UUID) -> ApiKey:
    """Revoke a key of any owner; raises NotFound if it is revoked already."""
    with transaction.unit_of_work():
        key = db.session.get(ApiKey, key_id)
        if key is None or not revocation.revoke(key, OPERATOR):
            raise NotFound("the key is revoked already")
    return key


def revoke_keys(*, account_id: uuid.UUID) -> int:
    """Revoke all keys of an account and of its agents; returns how many were alive."""
    with transaction.unit_of_work():
        hold_account(account_id)
        return revocation.revoke_all(account_id, OPERATOR)
