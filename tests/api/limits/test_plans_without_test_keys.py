"""A plan with `test = false` has no test keys: none is made, and those that were open nothing."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from ragauth.policy import read_policy
from tests.clients import Client, Member, error, issues, ok
from tests.factories.accounts import set_plan
from tests.factories.api_keys import make_service_key

KEYS = "/api/auth/api-keys"
PLAN = """
[plans.{}]
limits.requests.minute = 60
limits.requests.month = 1000
max_keys = 5
max_agents = 2
"""
FAULT = {("environment",): "The plan has no test keys"}


@pytest.fixture
def plans(share_app: Callable[..., Flask]) -> Flask:
    """`trial` has test keys, `live-only` has none."""
    text = PLAN.format("trial") + PLAN.format("live-only") + "test = false\n"
    return share_app(policy=read_policy(text.encode()), compat=("ragchats", "rst"))


@pytest.fixture
def member(plans: Flask) -> Member:
    return Client(plans).sign_up()


@pytest.fixture
def test_key(member: Member) -> dict[str, str]:
    """One that was made before the plan had none."""
    key = member.create_key(environment="test")
    set_plan(member, "live-only")
    return key


def authorize(member: Member, key: str, query: str = "") -> TestResponse:
    return Client(member.client.app).as_key(key).get(f"/api/v1/authorize{query}")


class TestMakesNone:
    @pytest.fixture(autouse=True)
    def live_only(self, member: Member) -> None:
        set_plan(member, "live-only")

    def test_neither_the_accounts_nor_an_agents(self, member: Member) -> None:
        agent = member.create_agent()["id"]
        body = {"name": "a key", "environment": "test"}
        for path in (KEYS, f"/api/agents/{agent}/api-keys"):
            assert issues(member.client.post(path, body)) == FAULT
            ok(member.client.post(path, {"name": "a key"}), 201)
        faults = issues(member.client.post(KEYS, {**body, "allowed_origins": ["https://a.test"]}))
        assert set(faults) == {("environment",), ("allowed_origins",)}

    def test_live_keys_are_made_on_every_face(self, member: Member) -> None:
        for path, status in ("ragchats/api/agents", 201), ("rst/v1/auth/api-keys", 200):
            ok_or_bare = member.client.post(f"/compat/{path}", {"name": "x"})
            assert ok_or_bare.status_code == status
        ok(member.client.post("/api/auth/api-key/regenerate"))

    def test_none_is_imported(self, member: Member, tmp_path: Path) -> None:
        file = tmp_path / "keys.jsonl"
        lines = [
            {
                "digest": hashlib.sha256(environment.encode()).hexdigest(),
                "owner": member.email,
                "name": "old",
                "environment": environment,
            }
            for environment in ("live", "test")
        ]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = member.client.app.test_cli_runner().invoke(args=["keys", "import", str(file)])
        assert done.exit_code == 1
        assert "nothing was imported\nline 2: environment: The plan has no test keys" in done.output
        assert len(ok(member.client.get(KEYS))) == 1


class TestThoseThatWereThere:
    def test_the_check_refuses_them_and_names_no_time_to_wait(
        self, member: Member, test_key: dict[str, str]
    ) -> None:
        for query, status in ("", 429), ("?cost=0", 429), ("?on_limit=403", 403):
            response = authorize(member, test_key["api_key"], query)
            assert response.status_code == status
            assert "Retry-After" not in response.headers
            assert '"month";r=0' in response.headers["RateLimit"]
            body = response.get_json()["error"]
            assert body["code"] == "USAGE_LIMIT_EXCEEDED"
            assert body["message"] == "The plan has no test keys"
            assert body["details"] == {
                "limit": "requests_per_month",
                "meter": "requests",
                "window": "month",
                "of": "account",
                "size": 0,
            }
        assert authorize(member, member.api_key).status_code == 200

    def test_a_service_is_told_the_same(self, member: Member, test_key: dict[str, str]) -> None:
        service = Client(member.client.app).as_key(make_service_key(member.client.app, "verify"))
        verdict = ok(service.post("/api/v1/keys/verify", {"key": test_key["api_key"]}))
        assert (verdict["valid"], verdict["code"]) == (False, "USAGE_LIMIT_EXCEEDED")
        assert verdict["status"] == 429
        assert "Retry-After" not in verdict["headers"]

    def test_they_are_not_replaced(self, member: Member, test_key: dict[str, str]) -> None:
        for grace_seconds in (0, 60):
            body = {"grace_seconds": grace_seconds}
            path = f"{KEYS}/{test_key['id']}/rotate"
            assert issues(member.client.post(path, body)) == FAULT
        assert ok(member.client.get(f"{KEYS}/{test_key['id']}"))["replaced_by"] is None

    def test_they_can_be_changed_and_revoked(
        self, member: Member, test_key: dict[str, str]
    ) -> None:
        path = f"{KEYS}/{test_key['id']}"
        ok(member.client.patch(path, {"name": "old"}))
        ok(member.client.delete(path), 204)

    def test_what_is_left_for_them_is_nothing(
        self, member: Member, test_key: dict[str, str]
    ) -> None:
        limits = ok(member.client.get("/api/auth/limits"))
        assert limits["requests_per_month"] == 1_000
        assert limits["usage"]["live"]["remaining"] == 1_000
        assert limits["usage"]["test"]["remaining"] == 0
        holder = ok(Client(member.client.app).as_key(test_key["api_key"]).get("/api/v1/me"))
        assert holder["limits"] == {"requests_per_minute": 0, "requests_per_month": 0}

    def test_a_plan_that_has_them_opens_them_again(
        self, member: Member, test_key: dict[str, str]
    ) -> None:
        error(authorize(member, test_key["api_key"]), 429, "USAGE_LIMIT_EXCEEDED")
        set_plan(member, "trial")
        assert authorize(member, test_key["api_key"]).status_code == 200
