"""Checks that are answered together are answered as one by one."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.test import EnvironBuilder

from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import db, runtime_of
from ragauth.models.reads.keys import KeyLookup
from ragauth.transaction import unit_of_work
from tests.api.v1.test_gate import World
from tests.clients import Client, ok
from tests.factories.accounts import set_plan
from tests.factories.api_keys import make_service_key

Replies = Callable[..., list[Any]]


def _authorize(key: str, query: str = "scope=query", **headers: str) -> dict[str, Any]:
    builder = EnvironBuilder(
        "/api/v1/authorize", query_string=query, headers={"X-API-Key": key, **headers}
    )
    return {**builder.get_environ(), "REMOTE_ADDR": "127.0.0.1"}


def _verify(service_key: str, key: str) -> dict[str, Any]:
    builder = EnvironBuilder(
        "/api/v1/keys/verify",
        method="POST",
        json={"key": key},
        headers={"Authorization": f"Bearer {service_key}"},
    )
    return {**builder.get_environ(), "REMOTE_ADDR": "127.0.0.1"}


@pytest.fixture
def ask_all(app: Flask) -> Replies:
    front: Any = app.wsgi_app
    return lambda *environs: front.answer_round([*environs])


def _alone(app: Flask, environ: dict[str, Any]) -> tuple[str, bytes]:
    told: list[str] = []
    body = b"".join(app.wsgi_app(environ, lambda status, _headers: told.append(status)))  # type: ignore[arg-type,func-returns-value]
    return told[0], body


def test_keys_in_every_state_have_the_same_verdict(
    client: Client, app: Flask, ask_all: Replies
) -> None:
    world = World(client)
    keys = [key for key in world.keys if key.isascii() and "\n" not in key]
    questions = [lambda key=key: _authorize(key) for key in keys]
    questions += [lambda key=key: _verify(world.service_key, key) for key in keys]
    # Nothing is near a limit, and the counts differ.
    together = ask_all(*[question() for question in questions])
    for question, reply in zip(questions, together, strict=True):
        status, body = _alone(app, question())
        if reply is not None:
            assert reply[0] == status
            assert _without_counts(reply[2]) == _without_counts(body)
    assert sum(reply is not None for reply in together) > len(keys)


def _without_counts(body: bytes) -> bytes:
    return body if b"RateLimit" not in body else body.partition(b'"headers"')[0]


def test_a_limit_is_exact_within_a_round(client: Client, ask_all: Replies) -> None:
    """S5: as many as are left, and not one more."""
    member = client.sign_up()
    set_plan(member, "trial")
    replies = ask_all(*[_authorize(member.api_key, "cost=1") for _ in range(30)])
    statuses = [reply.status[:3] for reply in replies]
    allowed = statuses.count("200")
    assert statuses == ["200"] * allowed + ["429"] * (30 - allowed)
    left = [dict(reply.headers).get("RateLimit") for reply in replies[:allowed]]
    assert len(set(left)) == allowed


def test_a_key_is_dead_in_the_round_after_its_revocation(client: Client, ask_all: Replies) -> None:
    member = client.sign_up()
    dead, alive = (member.create_key(name=name) for name in ("dead", "alive"))
    environs = [_authorize(one["api_key"]) for one in (dead, alive, dead)]
    assert {reply.status for reply in ask_all(*environs)} == {"200 OK"}
    ok(member.client.delete(f"/api/auth/api-keys/{dead['id']}"), 204)
    statuses = [reply.status[:3] for reply in ask_all(*environs)]
    assert statuses == ["401", "200", "401"]


def test_a_fault_in_one_refuses_no_other(
    client: Client, app: Flask, ask_all: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = client.sign_up()
    first, second = (member.create_key(name=name)["api_key"] for name in ("a", "b"))
    checker = runtime_of(app).key_checker
    judge = type(checker)._judge

    def fail_for_one(self: Any, key: str, *rest: Any) -> Any:
        if key == first:
            raise ExternalServiceUnavailable
        return judge(self, key, *rest)

    monkeypatch.setattr(type(checker), "_judge", fail_for_one)
    service = make_service_key(client.app, "verify")
    replies = ask_all(_authorize(first), _authorize(second), _verify(service, second))
    assert [reply.status[:3] for reply in replies] == ["503", "200", "200"]


def test_a_row_that_cannot_be_read_refuses_no_other_key(
    client: Client, app: Flask, ask_all: Replies
) -> None:
    """Alone it is an error too; the keys that come with it have their own answers."""
    member = client.sign_up()
    spoilt, sound = (member.create_key(name=name) for name in ("a", "b"))
    with app.app_context(), unit_of_work():
        db.session.execute(
            text("UPDATE api_keys SET expires_at = 'rubbish' WHERE prefix = :prefix"),
            {"prefix": spoilt["prefix"]},
        )
    service = make_service_key(client.app, "verify")
    environs = [_authorize(sound["api_key"]), _authorize(spoilt["api_key"])]
    environs += [_verify(service, sound["api_key"]), _verify(service, spoilt["api_key"])]
    replies = ask_all(*environs, _authorize("rag_live_mistyped"))
    assert [reply.status[:3] for reply in replies] == ["200", "500", "200", "500", "401"]


@pytest.mark.parametrize("presented", ["no key", "mistyped"])
def test_what_can_be_no_key_is_refused_beside_keys_that_the_database_does_not_answer(
    presented: str,
    client: Client,
    ask_all: Replies,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key whose checksum is wrong asks no database (contract, section 4), in a round too."""
    api_key = client.sign_up().api_key
    wrong = f"{api_key[:-1]}{'a' if api_key[-1] != 'a' else 'b'}"

    def is_away(_lookup: KeyLookup, digests: Any) -> Any:
        if digests:
            raise ExternalServiceUnavailable
        return {}

    monkeypatch.setattr(KeyLookup, "_find_stored", is_away)
    other = wrong if presented == "mistyped" else "x"
    replies = ask_all(_authorize(api_key), _authorize(other), _authorize(api_key))
    assert [reply.status[:3] for reply in replies] == ["503", "401", "503"]


def test_counters_that_fail_change_no_answer_that_needs_none(
    client: Client, app: Flask, ask_all: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = client.sign_up()
    dead = member.create_key(name="dead")
    ok(member.client.delete(f"/api/auth/api-keys/{dead['id']}"), 204)
    counters = runtime_of(app).limits.counters

    def fail(*_charges: Any) -> Any:
        raise RuntimeError("planted")

    monkeypatch.setattr(type(counters), "admit_all", fail)
    replies = ask_all(_authorize(dead["api_key"]), _authorize(member.api_key), _authorize("x"))
    assert [reply.status[:3] for reply in replies] == ["401", "500", "401"]
