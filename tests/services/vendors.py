"""What an operator's service makes: keyspaces, customers and managed keys, without any route."""

import uuid
from dataclasses import replace
from typing import Any

from ragauth.models import Account, ApiKey
from ragauth.policy import DEFAULT_POLICY, Policy
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import api_keys
from ragauth.services.keys.check import KeyVerdict, Question, current_checker
from ragauth.services.operators import customers, keyspaces

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
