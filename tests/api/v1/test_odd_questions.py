"""Questions that gateways and clients put in odd words."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from flask import Flask

from ragauth import transaction
from ragauth.models.accounts import find_by_email
from ragauth.services.accounts import hashing
from ragauth.services.accounts.hashing import StoredPassword
from tests.cases import for_each
from tests.clients import Client, error, ok
from tests.factories.api_keys import make_service_key, mistyped, unknown_key


@for_each("path", ["//x", "/a%0Ab", "/../../x", "//"])
def test_any_path_below_authorize_asks_for_a_key_and_takes_one(client: Client, path: str) -> None:
    url = f"/api/v1/authorize{path}"
    error(client.get(url), 401, "AUTHENTICATION_ERROR", "missing")
    caller = client.sign_up().key_client
    assert caller.get(url).status_code == 200
    error(caller.get(f"{url}?cost=x"), 400, "VALIDATION_ERROR")


def test_a_key_that_is_none_is_told_before_what_else_is_wrong(client: Client) -> None:
    for key in (mistyped(unknown_key()), unknown_key()):
        response = client.as_key(key).get("/api/v1/authorize?cost=x")
        assert response.status_code == 401


@for_each("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_body_that_is_not_utf_8_is_refused(client: Client, encoding: str) -> None:
    service = client.as_key(make_service_key(client.app, "verify"))
    response = service.request(
        "POST",
        "/api/v1/keys/verify",
        data='{"key": "x"}'.encode(encoding),
        content_type="application/json",
    )
    error(response, 400, "VALIDATION_ERROR")


@pytest.mark.both_databases
def test_an_address_that_is_none_is_not_kept(
    client: Client, make_app: Callable[..., Flask]
) -> None:
    member = client.sign_up()
    proxied = Client(make_app(trusted_proxies=1), {"X-Forwarded-For": "z" * 60})
    tokens = proxied.log_in(member)
    [session, *_] = ok(client.as_user(tokens["token"]).get("/api/auth/sessions"))
    assert session["ip"] is None


def test_cors_matches_an_origin_to_the_letter(
    client: Client, make_app: Callable[..., Flask]
) -> None:
    dashboard = Client(make_app(cors_origins=("https://app.example.com",)))
    for origin, allowed in (
        ("https://app.example.com", True),
        ("https://appxexample.com", False),
        ("https://app.example.com.evil.test", False),
    ):
        response = dashboard.get("/api/auth/me", headers={"Origin": origin})
        assert ("Access-Control-Allow-Origin" in response.headers) is allowed, origin


@pytest.mark.both_databases
def test_a_hash_of_another_cost_is_renewed_at_login(
    client: Client, make_app: Callable[..., Flask]
) -> None:
    """S4: rehashed at login when the cost is not the one that is set."""
    member = client.sign_up()
    stronger = Client(make_app(bcrypt_cost=5))
    before = stored_hash(client.app, member.email)
    stronger.log_in(member)
    after = stored_hash(client.app, member.email)
    assert (before[:7], after[:7]) == ("$2b$04$", "$2b$05$")
    client.log_in(member)


@pytest.mark.both_databases
def test_a_login_that_meets_anothers_renewal_looks_again(
    client: Client, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4: by compare-and-swap on the old hash; the second look holds no lock while it hashes."""
    member = client.sign_up()
    stronger = Client(make_app(bcrypt_cost=5))
    renew, others = hashing.renew_password, [Thread(target=stronger.log_in, args=(member,))]

    def renew_late(*arguments: Any) -> StoredPassword | None:
        if others:
            other = others.pop()
            other.start()
            other.join()
        return renew(*arguments)

    monkeypatch.setattr(hashing, "renew_password", renew_late)
    stronger.log_in(member)
    assert member.event_names().count("account:login_succeeded") == 2


def stored_hash(app: Flask, email: str) -> str:
    with app.app_context(), transaction.read_only():
        account = find_by_email(email)
        assert account is not None
        assert account.password_hash is not None
        return account.password_hash
