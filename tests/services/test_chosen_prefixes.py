"""Keys that begin with a prefix that the operator chose."""

from typing import Any

import pytest
from flask import Flask

from ragauth.errors import CredentialInvalid, CredentialMalformed
from ragauth.security import key_format
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import rotation
from tests.factories.api_keys import mistyped, unknown_key
from tests.services.vendors import check, is_allowed, make_customer, make_key


@pytest.fixture(autouse=True)
def in_context(app: Flask) -> Any:
    with app.app_context():
        yield


@pytest.mark.parametrize("prefix", ["acme", "sk_live", "a-b_c", "x", "0" * 16])
def test_one_is_accepted_at_once_and_its_successor_begins_as_it_does(prefix: str) -> None:
    account_id = make_customer().id
    key, raw = make_key(account_id, unbranded_tag=prefix)
    assert raw.startswith(f"{prefix}_")
    assert key.prefix == raw[: len(prefix) + 5]
    assert is_allowed(raw)
    successor = rotation.rotate_key(
        account_id=account_id, key_id=key.id, grace_seconds=0, client=OPERATOR, by_operator=True
    )
    assert successor.raw_key.startswith(f"{prefix}_")
    assert is_allowed(successor.raw_key)


def test_one_that_is_mistyped_is_refused_by_its_form_alone() -> None:
    _key, raw = make_key(make_customer().id, unbranded_tag="acme")
    assert isinstance(check(unknown_key("acme_")).refusal, CredentialInvalid)
    for text in (
        mistyped(raw),
        raw[1:],
        raw.replace("_", "-"),
        "_" + raw,
        unknown_key("a" * 17 + "_"),
        unknown_key("ä_"),
        raw + "0",
    ):
        assert isinstance(check(text).refusal, CredentialMalformed), text


def test_some_prefixes_cannot_be_chosen() -> None:
    for text in ("live", "pub", "rag_live", "rst", "", "_a", "a" * 17, "a b", "ä", "a\n"):
        assert not key_format.is_possible_prefix(text, "rag"), text
    for text in ("acme", "sk_live", "other_live", "rag", "RAG_LIVE"):
        assert key_format.is_possible_prefix(text, "rag"), text
