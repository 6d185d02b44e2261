"""The gate answers as the application behind it would: status, headers and body."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
from flask import Flask

from ragauth.background.threads import StartedByRequest
from ragauth.web.check.gate import Gate
from ragauth.web.forwarded import Forwarded
from tests.cases import for_each
from tests.clients import Client, assert_same_answer, error, issues, ok
from tests.factories.accounts import set_plan, suspend
from tests.factories.api_keys import make_service_key, mistyped, unknown_key

QUESTIONS = 500


@pytest.fixture
def behind_the_gate(make_app: Callable[..., Flask]) -> Client:
    """The same application without its gate, on the same database, with counters of its own."""
    application = make_app()
    before = _before_the_gate(application)
    before.application = before.application.application
    return Client(application)


def _before_the_gate(application: Flask) -> Any:
    front = application.wsgi_app
    assert isinstance(front, Forwarded)
    starter = front.application
    assert isinstance(starter, StartedByRequest)
    assert isinstance(starter.application, Gate)
    return starter


class World:
    """Keys in every state that a check can meet."""

    def __init__(self, client: Client) -> None:
        owner = client.sign_up()
        set_plan(owner, "starter")
        poor = client.sign_up()
        stranger = client.sign_up()
        agent, other_agent = (owner.create_agent()["id"] for _ in range(2))
        revoked = owner.create_key(name="revoked")
        ok(owner.client.delete(f"/api/auth/api-keys/{revoked['id']}"), 204)
        disabled = owner.create_key(name="disabled")
        ok(owner.client.patch(f"/api/auth/api-keys/{disabled['id']}", {"is_active": False}))
        expired = owner.create_key(name="expired", expires_at="2999-01-01T00:00:00Z")
        suspended, deleted = client.sign_up(), client.sign_up()
        suspend(suspended)
        ok(deleted.client.post("/api/auth/me/delete", {"password": deleted.password}), 204)
        self.service_key = make_service_key(client.app, "verify")
        self.keys = [
            owner.api_key,
            owner.create_key(name="query only", scopes=["query"])["api_key"],
            owner.create_key(name="bound", agent_id=agent)["api_key"],
            owner.create_key(name="test", environment="test")["api_key"],
            owner.create_key(name="here", allowed_ips=["127.0.0.0/8"])["api_key"],
            owner.create_key(name="elsewhere", allowed_ips=["203.0.113.0/24"])["api_key"],
            owner.create_key(
                name="widget",
                kind="publishable",
                agent_id=agent,
                allowed_origins=["https://app.example.com"],
            )["api_key"],
            *[poor.api_key] * 15,
            revoked["api_key"],
            disabled["api_key"],
            expired["api_key"],
            suspended.api_key,
            deleted.api_key,
            self.service_key,
            make_service_key(client.app, "usage"),
            unknown_key(),
            mistyped(owner.api_key),
            "rag_live_short",
            "garbage",
            owner.token,
            "",
            "sk_live_of_another_system",
            "r\u00e4g_live_x",
            f'"{owner.api_key}"',
            owner.api_key[:30],
            "sk-of-another-system-4eC39HqLyjWD",
        ]
        agent_of_stranger = stranger.create_agent()["id"]
        self.agents = [agent, other_agent, agent_of_stranger, "agt_x", "", "agt_" + "0" * 26]


def credential_headers(choose: random.Random, key: str) -> dict[str, str]:
    """One of the ways, right and wrong, to send a key."""
    return choose.choice(
        [
            {"Authorization": f"Bearer {key}"},
            {"Authorization": f"bearer {key}"},
            {"X-API-Key": key},
            {"X-API-Key": key, "Authorization": f"Bearer {key}"},
            {"X-API-Key": key, "Authorization": "Bearer rag_live_other"},
            {"X-API-Key": key, "Authorization": "Basic dTpw"},
            {"Authorization": f"Bearer  {key}"},
            {"Authorization": f"Bearer {key} {key}"},
            {"Authorization": "Bearer"},
            {"X-API-Key": key, "Authorization": "Bearer "},
            {"Authorization": key},
            {"X-API-Key": "", "Authorization": f"Bearer {key}"},
            {},
        ]
        if choose.random() < 0.15
        else [{"Authorization": f"Bearer {key}"}, {"X-API-Key": key}]
    )


def authorize_question(choose: random.Random, world: World) -> dict[str, Any]:
    parameters = [
        f"{name}={value}"
        for name, values in (
            ("scope", ["query"] * 5 + ["ingest"] * 3 + ["manage"] * 3 + ["nonsense", ""]),
            ("agent_id", world.agents[:3] * 4 + world.agents),
            ("cost", ["0", "1", "7", "%31", "10000"] * 4 + ["10001", "-1", "1.5", "x", ""]),
            ("on_limit", ["429", "403"] * 4 + ["500", ""]),
            ("of_the_client", ["1", "%00", "%ff", "a%20b&x=1;y=2"]),
        )
        for value in choose.sample(values, choose.choice([0] * 10 + [1] * 9 + [2]))
    ]
    choose.shuffle(parameters)
    return {
        "method": choose.choice(["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]),
        "path": "/api/v1/authorize" + choose.choice(["", "", "/", "/v1/documents", "/a//b/", "x"]),
        "query_string": "&".join(parameters),
        "headers": credential_headers(choose, choose.choice(world.keys)),
    }


def verify_question(choose: random.Random, world: World) -> dict[str, Any]:
    body: dict[str, Any] = {"key": choose.choice(world.keys)}
    for name, values in (
        ("key", [None, 1, "a\0b", "k" * 5000, "k" * 60_000, "\ud800", "", "a b"]),
        ("scope", ["query", "manage", "nonsense", None, 3]),
        ("agent_id", [*world.agents[:3] * 4, *world.agents, None, 5, []]),
        ("cost", [*[0, 3, 10_000] * 6, 10_001, -1, 1.0, "1", True, None]),
        ("client_ip", ["203.0.113.9", "::ffff:203.0.113.9", "nowhere", None, 4, "x" * 101]),
        ("origin", ["https://app.example.com", "HTTPS://APP.example.com:443/", "null", None, {}]),
        ("surplus", [1]),
    ):
        if choose.random() < (0.04 if name in ("key", "surplus") else 0.25):
            body[name] = choose.choice(values)
    data = json.dumps(body).encode()
    if choose.random() < 0.1:
        data = choose.choice(
            [b"", b"[]", b"{", b"null", b'{"key": "a", "key": "b"}', b"\xff", b'{"cost": NaN}']
        )
    key = world.service_key if choose.random() < 0.8 else choose.choice(world.keys)
    return {
        "method": choose.choice(["POST"] * 9 + ["GET"]),
        "path": "/api/v1/keys/verify" + choose.choice(["", "", "", "/"]),
        "data": data,
        "content_type": choose.choice(
            ["application/json"] * 15 + ["application/json; charset=utf-8", "text/plain", None]
        ),
        "headers": credential_headers(choose, key),
    }


def ask(client: Client, question: dict[str, Any]) -> Any:
    options = dict(question)
    headers = {
        **options.pop("headers"),
        "X-Request-Id": "the-same",
        **({"Origin": "https://app.example.com"} if question["path"].endswith("/") else {}),
    }
    return client.request(options.pop("method"), options.pop("path"), headers=headers, **options)


def test_hundreds_of_questions_get_the_same_answer_from_the_gate_and_from_the_application(
    client: Client, behind_the_gate: Client
) -> None:
    choose = random.Random(2)
    world = World(client)
    seen: Counter[str] = Counter()
    with time_machine.travel("2999-01-02T00:00:00Z", tick=False):
        for _ in range(QUESTIONS):
            question = choose.choice([authorize_question, verify_question])(choose, world)
            by_gate, by_application = ask(client, question), ask(behind_the_gate, question)
            assert by_gate.status == by_application.status, question
            assert_same_answer(by_gate, by_application)
            seen[_kind(by_gate)] += 1
    assert seen.keys() >= {
        "200",
        "verify VALID",
        "verify AUTHENTICATION_ERROR",
        "verify AUTHORIZATION_ERROR",
        "verify USAGE_LIMIT_EXCEEDED",
        "400",
        "401 missing",
        "401 malformed",
        "401 invalid",
        "401 expired",
        "401 revoked",
        "401 wrong_credential_type",
        "403 insufficient_scope",
        "403 wrong_agent",
        "403 account_suspended",
        "403 ip_not_allowed",
        "403 origin_not_allowed",
        "429",
    }, seen


def _kind(response: Any) -> str:
    body = response.get_json(silent=True)
    if body and "data" in body:
        return f"verify {body['data']['code']}"
    reason = ((body or {}).get("error", {}).get("details") or {}).get("reason")
    return f"{response.status_code} {reason}" if reason else str(response.status_code)


@contextmanager
def without_the_application(client: Client) -> Iterator[None]:
    """Whatever the gate hands on fails."""
    gate = _before_the_gate(client.app).application
    application = gate.application

    def nobody_is_home(*_: object) -> list[bytes]:
        raise AssertionError("the application was asked")

    gate.application = nobody_is_home
    try:
        yield
    finally:
        gate.application = application


def test_the_gate_answers_the_plain_case_without_the_application(client: Client) -> None:
    member = client.sign_up()
    with without_the_application(client):
        assert member.key_client.get("/api/v1/authorize?scope=query").status_code == 200


@for_each("query", ["scope=nonsense", "cost=1&cost=2", "&".join("a" * 200)])
def test_a_key_that_is_refused_makes_no_faulty_question_dear(client: Client, query: str) -> None:
    """S37: whoever adds to a gateway's query has no key yet."""
    member = client.sign_up()
    dead = member.create_key()
    ok(member.client.delete(f"/api/auth/api-keys/{dead['id']}"), 204)
    for key, reason in (
        (unknown_key(), "invalid"),
        (mistyped(member.api_key), "malformed"),
        (dead["api_key"], "revoked"),
    ):
        with without_the_application(client):
            response = client.as_key(key).get(f"/api/v1/authorize?{query}")
        error(response, 401, "AUTHENTICATION_ERROR", reason)
    assert issues(member.key_client.get(f"/api/v1/authorize?{query}"))
