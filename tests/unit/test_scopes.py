"""Scopes are the contract's."""

from ragauth.security.scopes import KEY_SCOPES, SERVICE_SCOPES


def test_the_scopes_of_keys_and_services_are_the_contracts_and_do_not_meet() -> None:
    assert KEY_SCOPES == ("query", "ingest", "manage")
    assert SERVICE_SCOPES == ("verify", "accounts", "usage")
    assert set(KEY_SCOPES).isdisjoint(SERVICE_SCOPES)
