"""What an operator's service makes: keyspaces, customers and managed keys, without any route."""

import uuid
from dataclasses import replace
from typing import Any

from ragauth.models import Account, ApiKey
from ragauth.models.owned_keys import OwnedKey
from ragauth.policy import DEFAULT_POLICY, Policy
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import allowances, api_keys
from ragauth.services.keys.check import KeyVerdict, Question, current_checker
from ragauth.services.operators import accounts, customers, keyspaces

OPEN: Policy = replace(DEFAULT_POLICY, open_scopes=True)


def make_customer(external_id: str = "c-1") -> Account:
    return customers.create_customer(external_id=external_id, metadata=None, client=OPERATOR)


def make_keyspace(name: str = "An API") -> tuple[uuid.UUID, uuid.UUID]:
    """Its id, and that of its account."""
    keyspace = keyspaces.create_keyspace(name=name, client=OPERATOR)
    return keyspace.id, keyspace.account_id


def make_key(account_id: uuid.UUID, **fields: Any) -> tuple[ApiKey, str]:
    """A managed key and its raw form."""
    usual = {"name": "a key", "kind": "secret", "environment": "live", "scopes": []}
    issued = api_keys.create_key(
        account_id=account_id,
        fields={**usual, **fields},
        agent_id=None,
        client=OPERATOR,
        by_operator=True,
    )
    return issued.key, issued.raw_key


def check(raw_key: str, *, cost: int | None = 1, **asked: Any) -> KeyVerdict:
    return current_checker().check(raw_key, Question(cost=cost, **asked))


def is_allowed(raw_key: str, **asked: Any) -> bool:
    return check(raw_key, **asked).refusal is None


def remaining_of(key: ApiKey) -> int | None:
    """What is left of a key's allowance; None without one."""
    assert key.account_id is not None
    found = allowances.allowance_of(OwnedKey(key, accounts.get_account(account_id=key.account_id)))
    return None if found is None else found.remaining


def remaining_in(verdict: KeyVerdict) -> int | None:
    """What a check has left of it."""
    assert verdict.limits is not None
    found = allowances.allowance_in(verdict.limits)
    return None if found is None else found.remaining
