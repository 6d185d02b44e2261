"""Declared scopes: what a service tells of the scopes that it gives to managed keys."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from ragauth.errors import NoSuchScope, ScopeQueryNotMet, ScopeTaken
from ragauth.models import DeclaredScope
from ragauth.security.scope_queries import parse_query
from ragauth.services.keys import api_keys
from ragauth.services.operators import declared_scopes
from tests.clients import Client
from tests.services.vendors import OPEN, check, is_allowed, make_customer, make_key


@pytest.fixture
def open_app(share_app: Callable[..., Flask]) -> Iterator[Flask]:
    app = share_app(policy=OPEN)
    with app.app_context():
        yield app


def declare(name: str, title: str = "", description: str | None = None) -> DeclaredScope:
    return declared_scopes.declare_scope(name=name, title=title, description=description)


def names(search: str | None = None) -> list[str]:
    page = declared_scopes.list_scopes(search=search, limit=9, cursor=None)
    return [scope.name for scope in page.items]


def test_one_is_found_by_id_and_name(open_app: Flask) -> None:
    scope = declare("docs.read", "Read", "Reads documents")
    assert declared_scopes.get_scope(scope.id).description == "Reads documents"
    assert declared_scopes.get_scope("docs.read").id == scope.id
    with pytest.raises(ScopeTaken):
        declare("docs.read")
    for unknown in ("docs", uuid.uuid4()):
        with pytest.raises(NoSuchScope):
            declared_scopes.get_scope(unknown)


@pytest.mark.both_databases
def test_they_are_listed_and_searched(open_app: Flask) -> None:
    declare("docs.read", "Read", "Reads Documents")
    declare("docs_write", "Write")
    declare("admin", "All 100%")
    assert names() == ["admin", "docs_write", "docs.read"]
    assert names("DOCUMENTS") == ["docs.read"]
    assert names("docs_") == ["docs_write"]
    assert names("100%") == ["admin"]
    page = declared_scopes.list_scopes(search=None, limit=1, cursor=None)
    rest = declared_scopes.list_scopes(search=None, limit=9, cursor=page.next_cursor)
    assert [scope.name for scope in rest.items] == ["docs_write", "docs.read"]


@pytest.mark.both_databases
def test_deleting_one_takes_it_from_all_managed_keys(open_app: Flask, client: Client) -> None:
    client.sign_up()
    account_id = make_customer().id
    kept = [
        (["a", "docs_read", "b"], ["a", "b"]),
        (["docs_read", "a"], ["a"]),
        (["docs_read"], []),
        (["docsxread"], ["docsxread"]),
        (["docs_readable"], ["docs_readable"]),
    ]
    held = [(make_key(account_id, scopes=scopes), rest) for scopes, rest in kept]
    declare("docs_read")
    assert declared_scopes.delete_scope("docs_read") == 3
    for (key, raw), rest in held:
        shown = api_keys.show_key(account_id=account_id, key_id=key.id, include_revoked=False)
        assert shown.scopes == rest
        assert not is_allowed(raw, scopes=("docs_read",))
    with pytest.raises(NoSuchScope):
        declared_scopes.delete_scope("docs_read")


def test_a_question_may_ask_for_a_combination_of_scopes(open_app: Flask) -> None:
    account_id = make_customer().id
    _key, raw = make_key(account_id, scopes=["docs.read", "admin"])
    _key, bare = make_key(account_id, scopes=[])
    for query, is_met in (
        ("docs.read", True),
        ("docs.read AND docs.write", False),
        ("docs.read AND (docs.write OR admin)", True),
        ("docs.write OR manage", False),
    ):
        asked = {"scope_query": parse_query(query), "cost": 0}
        assert is_allowed(raw, **asked) is is_met
        refusal = check(bare, **asked).refusal
        assert isinstance(refusal, ScopeQueryNotMet)
        assert refusal.details["required_scopes"] == query
        assert "scope=" not in refusal.headers["WWW-Authenticate"]


@pytest.mark.both_databases
def test_one_may_be_described_anew_and_is_renamed_in_all_managed_keys(open_app: Flask) -> None:
    account_id = make_customer().id
    _key, raw = make_key(account_id, scopes=["docs_read", "a"])
    scope = declare("docs_read", "Read", "Reads")
    declare("taken")
    changed = declared_scopes.change_scope(scope.id, changes={"title": "See", "description": None})
    assert (changed.name, changed.title, changed.description) == ("docs_read", "See", None)
    declared_scopes.change_scope("docs_read", changes={"name": "docs.see"})
    assert is_allowed(raw, scopes=("docs.see", "a"))
    assert not is_allowed(raw, scopes=("docs_read",))
    with pytest.raises(ScopeTaken):
        declared_scopes.change_scope("docs.see", changes={"name": "taken"})
    with pytest.raises(NoSuchScope):
        declared_scopes.change_scope("docs_read", changes={})


@pytest.mark.both_databases
def test_a_list_that_has_the_new_name_already_has_it_once(open_app: Flask) -> None:
    account_id = make_customer().id
    for held, now in (
        (["new", "old", "a"], ["new", "a"]),
        (["old", "new"], ["new"]),
        (["old", "a", "new"], ["new", "a"]),
        (["new", "a"], ["new", "a"]),
    ):
        key, _ = make_key(account_id, scopes=held)
        declare("old")
        declared_scopes.change_scope("old", changes={"name": "new"})
        shown = api_keys.show_key(account_id=account_id, key_id=key.id, include_revoked=False)
        assert shown.scopes == now
        declared_scopes.delete_scope("new")
