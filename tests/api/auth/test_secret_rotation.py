"""S4: a new secret takes over while passwords of the old one go on working, and move to it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select

from ragauth.extensions import db
from ragauth.models import Account
from ragauth.services.audit import OPERATOR
from ragauth.services.operators import accounts
from ragauth.services.sessions import signing_key_rotation
from tests.applications import SECRET_KEY
from tests.clients import PASSWORD, Client, Member, error, ok
from tests.factories.hashing import cpu_of_alternating

NEW_KEY = b"a newer secret of the tests, 32 bytes or more"
MakeApp = Callable[..., Flask]


@pytest.fixture
def member(client: Client) -> Member:
    """Somebody whose password was hashed under the old secret."""
    return client.sign_up()


@pytest.fixture
def rotated(share_app: MakeApp) -> Client:
    """The service after the rotation."""
    return Client(share_app(secret_key=NEW_KEY, old_secret_keys=(SECRET_KEY,)))


def stored(member: Member) -> tuple[str, str]:
    """Hash and scheme."""
    with member.client.app.app_context(), db.engine.connect() as connection:
        row = connection.execute(
            select(Account.password_hash, Account.password_scheme).where(
                Account.email == member.email
            )
        ).one()
        return row.password_hash, row.password_scheme


def log_in(client: Client, member: Member, password: str = PASSWORD) -> int:
    body = {"email": member.email, "password": password}
    return client.post("/api/auth/login", body).status_code


def test_the_scheme_names_the_pepper_and_a_login_moves_to_the_new_one(
    member: Member, rotated: Client
) -> None:
    """S4: rehashed at login when the scheme is old."""
    old_hash, old_scheme = stored(member)
    assert log_in(rotated, member) == 200
    new_hash, new_scheme = stored(member)
    assert (new_hash == old_hash, new_scheme == old_scheme) == (False, False)
    assert log_in(rotated, member) == 200
    assert stored(member) == (new_hash, new_scheme)


def test_once_moved_the_old_secret_is_no_longer_needed(
    member: Member, rotated: Client, make_app: MakeApp
) -> None:
    assert log_in(rotated, member) == 200
    with rotated.app.app_context():
        signing_key_rotation.reseal()
    assert log_in(Client(make_app(secret_key=NEW_KEY)), member) == 200


def test_a_wrong_password_moves_nothing(member: Member, rotated: Client) -> None:
    before = stored(member)
    assert log_in(rotated, member, "wrong password") == 401
    assert stored(member) == before


def test_an_old_password_confirms_an_act_too(member: Member, rotated: Client) -> None:
    token = ok(rotated.post("/api/auth/login", {"email": member.email, "password": PASSWORD}))
    other = rotated.as_user(token["token"])
    response = other.post("/api/auth/me/delete", {"password": "wrong password"})
    error(response, 401, "AUTHENTICATION_ERROR", "invalid")
    ok(other.post("/api/auth/me/delete", {"password": PASSWORD}), 204)


@pytest.mark.parametrize("changes", [{}, {"bcrypt_cost": 5}])
def test_logins_at_the_same_time_all_succeed(
    member: Member, make_app: MakeApp, changes: dict[str, int]
) -> None:
    """S4: by compare-and-swap on the old hash; who comes second looks at the new one."""
    app = make_app(secret_key=NEW_KEY, old_secret_keys=(SECRET_KEY,), **changes)
    barrier = Barrier(3)

    def try_it(_number: int) -> int:
        barrier.wait()
        return log_in(Client(app), member)

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(try_it, range(3))) == [200, 200, 200]


def test_a_password_of_an_unknown_secret_is_wrong_and_takes_as_long(
    client: Client, make_app: MakeApp
) -> None:
    """S6: nobody learns from the time that a row cannot be checked here."""
    slow = Client(make_app(bcrypt_cost=6))
    member = slow.sign_up()
    lost = replace(member, email="lost@example.com")
    with make_app(bcrypt_cost=6, secret_key=NEW_KEY).app_context():
        accounts.create_account(
            email=lost.email, password=PASSWORD, name=None, username=None, client=OPERATOR
        )

    def asks(email: str) -> Callable[[int], object]:
        return lambda _: log_in(slow, replace(member, email=email), "wrong password")

    known, unknown_secret = cpu_of_alternating(asks(member.email), asks(lost.email), times=20)
    assert log_in(slow, lost) == 401
    assert 0.8 < known / unknown_secret < 1.25
