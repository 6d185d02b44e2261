"""Taking over keys from another system by their digests, so that customers keep their keys."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from ragauth import clock, transaction
from ragauth.errors import NotFound
from ragauth.extensions import current_policy
from ragauth.models import Account
from ragauth.models import accounts as account_rows
from ragauth.models import api_keys as key_rows
from ragauth.models.api_keys import SECRET
from ragauth.security.emails import canonical_email
from ragauth.security.identifiers import ACCOUNT, decode_id, new_uuids
from ragauth.services import audit
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import api_keys

# How many names one query has.
_BATCH = 500


def import_keys(keys: Sequence[dict[str, Any]]) -> int:
    """Add keys whose SHA-256 alone is known (`digest`); returns how many were new.

    A key whose digest exists already is left as it is, so a file may be imported twice. Each key
    has its `account_id`. Raises NotFound for an account that does not exist, InvalidRequest for a
    test key if the plan has none, UsageLimitExceeded if the plan has no room; in these cases no key
    is added.
    """
    now = clock.now()
    # Work that needs no lock is done before the transaction, because other writers wait while it
    # lasts. Rows are sorted, so that two imports of the same keys at once cannot deadlock.
    ordered = sorted(keys, key=lambda key: key["digest"])
    rows = [_to_row(*each, now) for each in zip(new_uuids(len(keys)), ordered, strict=True)]
    with transaction.unit_of_work():
        return _add(rows)


def _to_row(key_id: uuid.UUID, key: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {
        **key,
        "id": key_id,
        "kind": SECRET,
        "is_enabled": True,
        "is_primary": False,
        "is_imported": True,
        "is_managed": False,
        "created_at": now,
    }


def _add(rows: Sequence[dict[str, Any]]) -> int:
    held = {
        account.id: account
        for account in account_rows.lock_accounts({row["account_id"] for row in rows})
    }
    for account_id, environment in {(row["account_id"], row["environment"]) for row in rows}:
        if account_id not in held:
            raise NotFound("an owner's account was deleted meanwhile")
        api_keys.require_environment(held[account_id], environment)
    with api_keys.keeping_to_maxima(list(held.values())):
        new = key_rows.add_unless_known(rows)
    audit.record_imported_keys([row for row in rows if row["id"] in new], OPERATOR)
    return len(new)


def find_owners(owners: Iterable[str]) -> dict[str, Account]:
    """The accounts by the given names (e-mail addresses or ids); unknown names are missing."""
    names: dict[str, str | uuid.UUID] = {}
    for owner in set(owners):
        try:
            is_email = "@" in owner
            names[owner] = canonical_email(owner) if is_email else decode_id(ACCOUNT, owner)
        except ValueError:
            continue
    found: dict[str | uuid.UUID, Account] = {}
    rest = iter(names.values())
    while batch := list(islice(rest, _BATCH)):
        with transaction.read_only():
            accounts = account_rows.find_many(
                emails_canonical=[name for name in batch if isinstance(name, str)],
                account_ids=[name for name in batch if isinstance(name, uuid.UUID)],
            )
        for account in accounts:
            found[account.id] = account
            if account.email_canonical is not None:
                found[account.email_canonical] = account
    return {owner: found[name] for owner, name in names.items() if name in found}


def find_without_room(
    keys: Iterable[dict[str, Any]], owners: Iterable[Account]
) -> dict[uuid.UUID, str]:
    """The accounts whose plan has no room for their keys, each with the reason.

    It only reads. `import_keys` tests the same again, since the accounts may change before.
    """
    now = clock.now()
    new_digests: dict[uuid.UUID, set[bytes]] = defaultdict(set)
    counted = (key for key in keys if key["expires_at"] is None or key["expires_at"] > now)
    while batch := list(islice(counted, _BATCH)):
        with transaction.read_only():
            known = key_rows.find_known_digests({key["digest"] for key in batch})
        for key in batch:
            if key["digest"] not in known:
                new_digests[key["account_id"]].add(key["digest"])
    rest = iter({owner.id: owner for owner in owners}.values())
    rooms: dict[uuid.UUID, int] = {}
    while accounts := list(islice(rest, _BATCH)):
        with transaction.read_only():
            rooms |= api_keys.rooms_of(accounts)
    return {
        account_id: f"the file has {len(digests)} new keys, the plan has room for {room}"
        for account_id, digests in new_digests.items()
        if len(digests) > (room := rooms[account_id])
    }


def may_have_test_keys(account: Account) -> bool:
    return current_policy().plan(account.plan).has_test_keys
