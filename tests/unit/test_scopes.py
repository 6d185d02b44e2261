"""Scopes are the contract's."""

from ragauth.policy import DEFAULT_POLICY
from ragauth.security.scopes import SERVICE_SCOPES


def test_the_scopes_of_keys_and_services_are_the_contracts_and_do_not_meet() -> None:
    assert tuple(DEFAULT_POLICY.scopes) == ("query", "ingest", "manage")
    assert SERVICE_SCOPES == ("verify", "accounts", "usage", "keys", "webhooks")
    assert set(DEFAULT_POLICY.scopes).isdisjoint(SERVICE_SCOPES)
