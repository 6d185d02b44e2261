"""Keys that begin with a prefix that the operator chose."""

import math

import pytest

from ragauth.errors import CredentialInvalid, CredentialMalformed
from ragauth.security import key_format
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import rotation
from ragauth.services.keys.check import current_checker
from tests.factories.api_keys import unknown_key
from tests.services.vendors import check, is_allowed, make_customer, make_key, make_keyspace

pytestmark = pytest.mark.usefixtures("in_context")


@pytest.mark.parametrize("prefix", ["acme", "sk_live", "live", "test", "a-b_c", "x", "0" * 16])
def test_one_is_accepted_at_once_and_its_successor_begins_as_it_does(prefix: str) -> None:
    account_id = make_customer().id
    key, raw = make_key(account_id, unbranded_tag=prefix, keyspace_id=make_keyspace()[0])
    assert raw.startswith(f"{prefix}_")
    assert key.prefix == raw[: len(prefix) + 5]
    assert is_allowed(raw)
    successor = rotation.rotate_key(
        account_id=account_id, key_id=key.id, grace_seconds=0, client=OPERATOR, by_operator=True
    )
    assert successor.raw_key.startswith(f"{prefix}_")
    assert is_allowed(successor.raw_key)


def test_one_that_is_not_known_is_looked_up_only_where_there_are_such_keys() -> None:
    text = unknown_key("acme_")
    assert isinstance(check(text).refusal, CredentialMalformed)
    keyspace_id, own = make_keyspace()
    make_key(own, keyspace_id=keyspace_id)
    current_checker().lookup._imported_checked_at = -math.inf
    assert isinstance(check(text).refusal, CredentialInvalid)
    assert isinstance(check(unknown_key("ä_")).refusal, CredentialMalformed)


def test_some_prefixes_cannot_be_chosen() -> None:
    for text in ("rag_live", "rag_svc", "rst", "", "_a", "a" * 17, "a b", "ä", "a\n"):
        assert not key_format.is_possible_prefix(text, "rag"), text
    for text in ("acme", "live", "pub", "sk_live", "other_live", "rag", "RAG_LIVE"):
        assert key_format.is_possible_prefix(text, "rag"), text
