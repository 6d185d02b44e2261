"""The members of the tests who sign up past the web are like those who ask for it."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from ragauth.extensions import db
from tests.clients import PASSWORD, Client, Member, ok

# What no two signups have in common.
OF_ONE = {"id", "account_id", "digest", "sealed", "password_hash", "prefix", "details"}
OF_ONE |= {"email", "email_canonical", "at"}


@pytest.fixture
def ready(client: Client) -> Member:
    return client.sign_up()


def test_they_leave_the_same_rows(app: Flask, client: Client, ready: Member) -> None:
    of_ready = rows(app)
    asked = client.sign_up(name=None)
    both = rows(app)
    assert asked.email != ready.email
    assert set(both) == set(of_ready)
    for table, found in both.items():
        assert found == sorted(of_ready[table] * 2, key=repr), table


def rows(app: Flask) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold, without what is of one account alone and without times."""
    with app.app_context(), db.engine.connect() as connection:
        return {
            table.name: sorted(
                (
                    {
                        name: value
                        for name, value in row.items()
                        if name not in OF_ONE and not name.endswith("_at")
                    }
                    for row in connection.execute(select(table)).mappings()
                ),
                key=repr,
            )
            for table in db.metadata.sorted_tables
            if table.name not in ("installation", "signing_keys")
        }


def test_what_they_are_given_works(client: Client, ready: Member) -> None:
    assert ok(ready.client.get("/api/auth/me"))["id"] == ready.id
    assert ok(ready.key_client.get("/api/v1/me"))["account"]["id"] == ready.id
    ok(client.post("/api/auth/token/refresh", {"refresh_token": ready.refresh_token}))
    assert client.log_in(ready)["account"]["email"] == ready.email


def test_what_others_hash_is_their_own(client: Client, ready: Member) -> None:
    body = {"email": "own@example.com", "password": f"{PASSWORD}, my own"}
    ok(client.post("/api/auth/signup", body), 201)
    ok(client.post("/api/auth/login", body))
    assert client.post("/api/auth/login", {**body, "password": PASSWORD}).status_code == 401
