"""Checks that are answered together are answered as one by one."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import runtime_of
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
