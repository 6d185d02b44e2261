"""Taking over keys from another system by their digests, so that customers keep their keys."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from ragauth import clock, transaction
from ragauth.errors import NotFound
from ragauth.extensions import current_policy
from ragauth.models import Account
from ragauth.models import accounts as account_rows
from ragauth.models import api_keys as key_rows
from ragauth.models.api_keys import SECRET
from ragauth.security.emails import canonical_email
from ragauth.security.identifiers import ACCOUNT, EXTERNAL, decode_id, new_uuids
from ragauth.services import audit
from ragauth.services.audit import OPERATOR, Client
from ragauth.services.keys import api_keys
from ragauth.services.keys.presented import current_lookup

#: How many texts there may be after which other systems have hashed the rest of a key.
MOST_TEXTS_BEFORE = 20

# How many names one query has.
_BATCH = 500


def import_keys(keys: Sequence[dict[str, Any]]) -> int:
    """Add keys whose `digest` alone is known, as it is stored; returns how many were new.

    A key whose digest exists already is left as it is, so a file may be imported twice. Each key
    has its `account_id`. Raises NotFound for an account that does not exist, InvalidRequest for a
    test key if the plan has none, UsageLimitExceeded if the plan has no room; in these cases no key
    is added.
    """
    return len(_import(keys, OPERATOR))


def take_over_keys(
    keys: Sequence[dict[str, Any]], *, keyspace_id: uuid.UUID, client: Client
) -> dict[bytes, uuid.UUID]:
    """Add managed keys of a keyspace, with all that a row may say of them (`id`, `limits` …).

    Returns the ids of the new ones by their digests. Raises as `import_keys` does, and
    NoSuchKeyspace; then no key is added.
    """
    return _import(
        [{**key, "is_managed": True, "keyspace_id": keyspace_id} for key in keys], client
    )


def _import(keys: Sequence[dict[str, Any]], client: Client) -> dict[bytes, uuid.UUID]:
    now = clock.now()
    # Work that needs no lock is done before the transaction, because other writers wait while it
    # lasts. Rows are sorted, so that two imports of the same keys at once cannot deadlock.
    ordered = sorted(keys, key=lambda key: key["digest"])
    rows = [_to_row(*each, now) for each in zip(new_uuids(len(keys)), ordered, strict=True)]
    with transaction.unit_of_work():
        return _add(rows, client)


def _to_row(key_id: uuid.UUID, key: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "is_enabled": True,
        "is_managed": False,
        "id": key_id,
        **key,
        "kind": SECRET,
        "is_primary": False,
        "is_imported": True,
        "created_at": now,
    }


def _add(rows: Sequence[dict[str, Any]], client: Client) -> dict[bytes, uuid.UUID]:
    held = {
        account.id: account
        for account in account_rows.lock_accounts({row["account_id"] for row in rows})
    }
    for account_id, environment in {(row["account_id"], row["environment"]) for row in rows}:
        if account_id not in held:
            raise NotFound("an owner's account was deleted meanwhile")
        api_keys.require_environment(held[account_id], environment)
    for keyspace_id in {row.get("keyspace_id") for row in rows}:
        api_keys.require_keyspace(keyspace_id)
    with api_keys.keeping_to_maxima(list(held.values())):
        new = key_rows.add_unless_known(rows)
    added = [row for row in rows if row["id"] in new]
    audit.record_imported_keys(added, client)
    return {row["digest"]: row["id"] for row in added}


def find_owners(owners: Iterable[str]) -> dict[str, Account]:
    """The accounts by the given names; unknown names are missing.

    A name is an e-mail address, an id, or `ext:` and an external id.
    """
    names: dict[str, _Name] = {}
    for owner in dict.fromkeys(owners):
        with suppress(ValueError):
            names[owner] = _read_name(owner)
    found: dict[_Name, Account] = {}
    rest = iter(names.values())
    while batch := list(islice(rest, _BATCH)):
        with transaction.read_only():
            accounts = account_rows.find_many(
                account_ids=[name.account_id for name in batch if name.account_id],
                emails_canonical=[name.email_canonical for name in batch if name.email_canonical],
                external_ids=[name.external_id for name in batch if name.external_id],
            )
        for account in accounts:
            found[_Name(account_id=account.id)] = account
            found[_Name(email_canonical=account.email_canonical)] = account
            found[_Name(external_id=account.external_id)] = account
    return {owner: found[name] for owner, name in names.items() if name in found}


class _Name(NamedTuple):
    """One of the names of an account."""

    account_id: uuid.UUID | None = None
    email_canonical: str | None = None
    external_id: str | None = None


def _read_name(owner: str) -> _Name:
    """Raises ValueError for what is no name."""
    if owner.startswith(EXTERNAL) and owner != EXTERNAL:
        return _Name(external_id=owner.removeprefix(EXTERNAL))
    if "@" in owner:
        return _Name(email_canonical=canonical_email(owner))
    return _Name(account_id=decode_id(ACCOUNT, owner))


class Expected(NamedTuple):
    """What an import would add to an account; the plan counts only `counted` of the `new` keys."""

    account: Account
    new: int
    counted: int
    room: int

    @property
    def fault(self) -> str | None:
        if self.counted <= self.room:
            return None
        return f"the file has {self.counted} new keys, the plan has room for {self.room}"


class Forecast(NamedTuple):
    """What an import would do: the digests of keys that exist already, and each account's share."""

    known: frozenset[bytes]
    accounts: dict[uuid.UUID, Expected]


def foresee(keys: Sequence[dict[str, Any]], owners: Iterable[Account]) -> Forecast:
    """What an import of these keys would do.

    It only reads. `import_keys` tests the same again, since the accounts may change before.
    """
    now, known = clock.now(), set[bytes]()
    new: dict[uuid.UUID, set[bytes]] = defaultdict(set)
    counted: dict[uuid.UUID, set[bytes]] = defaultdict(set)
    rest = iter(keys)
    while batch := list(islice(rest, _BATCH)):
        with transaction.read_only():
            known |= key_rows.find_known_digests({key["digest"] for key in batch})
        for key in batch:
            if key["digest"] not in known:
                new[key["account_id"]].add(key["digest"])
                if key["expires_at"] is None or key["expires_at"] > now:
                    counted[key["account_id"]].add(key["digest"])
    accounts = {owner.id: owner for owner in owners}
    unasked, rooms = iter(accounts.values()), dict[uuid.UUID, int]()
    while some := list(islice(unasked, _BATCH)):
        with transaction.read_only():
            rooms |= api_keys.rooms_of(some)
    return Forecast(
        frozenset(known),
        {
            account_id: Expected(
                account, len(new[account_id]), len(counted[account_id]), rooms[account_id]
            )
            for account_id, account in accounts.items()
        },
    )


def find_excess_texts(texts: Iterable[str]) -> frozenset[str]:
    """The texts that are new here, if together with those in use they are more than are looked for.

    Each costs a look into the database for every presented key that begins with it.
    """
    in_use = set(current_lookup().texts_before())
    new = set(texts) - in_use
    return frozenset(new) if len(in_use) + len(new) > MOST_TEXTS_BEFORE else frozenset()


def may_have_test_keys(account: Account) -> bool:
    return current_policy().plan(account.plan).has_test_keys
