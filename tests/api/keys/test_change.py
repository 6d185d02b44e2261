"""PATCH /api/auth/api-keys/{id}"""

import pytest
import time_machine

from tests.cases import for_each
from tests.clients import (
    Client,
    Member,
    assert_needs_access_token,
    assert_same_answer,
    error,
    issues,
    ok,
)

KEYS = "/api/auth/api-keys"
NO_KEY = f"{KEYS}/key_01h455vb4pex5vsknk084sn02q"


def check(client: Client, api_key: str, query: str = "") -> int:
    return client.as_key(api_key).get(f"/api/v1/authorize{query}").status_code


def widget_key(member: Member) -> dict[str, object]:
    return member.create_key(
        kind="publishable",
        agent_id=member.create_agent()["id"],
        allowed_origins=["https://shop.example.com"],
    )


@pytest.mark.both_ways
class TestSucceeds:
    def test_what_is_named_changes_and_the_rest_stays(self, client: Client) -> None:
        member = client.sign_up()
        key = member.create_key(name="old", scopes=["query"])
        key.pop("api_key")
        changed = ok(member.client.patch(f"{KEYS}/{key['id']}", {"name": "new"}))
        assert changed == {**key, "name": "new"}
        assert ok(member.client.patch(f"{KEYS}/{key['id']}", {})) == changed
        assert ok(member.client.get(f"{KEYS}/{key['id']}")) == changed

    @pytest.mark.both_databases
    def test_a_disabled_key_is_refused_at_once_and_can_come_back(self, client: Client) -> None:
        """S20: a dead key is refused from the moment that the answer was sent."""
        member = client.sign_up()
        key = member.create_key()
        path = f"{KEYS}/{key['id']}"
        assert not ok(member.client.patch(path, {"is_active": False}))["is_active"]
        response = client.as_key(key["api_key"]).get("/api/v1/authorize")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        assert ok(member.client.patch(path, {"is_active": True}))["is_active"]
        assert check(client, key["api_key"]) == 200

    def test_scopes_take_effect_at_once(self, client: Client) -> None:
        member = client.sign_up()
        key = member.create_key()
        path = f"{KEYS}/{key['id']}"
        assert check(client, key["api_key"], "?scope=manage") == 200
        ok(member.client.patch(path, {"scopes": ["query"]}))
        assert check(client, key["api_key"], "?scope=manage") == 403
        ok(member.client.patch(path, {"scopes": None}))
        assert check(client, key["api_key"], "?scope=manage") == 200

    @pytest.mark.both_databases
    def test_addresses_take_effect_at_once(self, client: Client) -> None:
        member = client.sign_up()
        key = member.create_key()
        path = f"{KEYS}/{key['id']}"
        ok(member.client.patch(path, {"allowed_ips": ["203.0.113.0/24"]}))
        response = client.as_key(key["api_key"]).get("/api/v1/authorize")
        error(response, 403, "AUTHORIZATION_ERROR", "ip_not_allowed")
        ok(member.client.patch(path, {"allowed_ips": ["127.0.0.0/8"]}))
        assert check(client, key["api_key"]) == 200

    @pytest.mark.both_databases
    def test_an_end_takes_effect_and_can_be_taken_back(self, client: Client) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            member = client.sign_up()
            key = member.create_key()
            path = f"{KEYS}/{key['id']}"
            ok(member.client.patch(path, {"expires_at": "2026-03-01T12:00:30Z"}))
            clock.shift(30)
            response = client.as_key(key["api_key"]).get("/api/v1/authorize")
            details = error(response, 401, "AUTHENTICATION_ERROR", "expired")
            assert details["expired_at"] == "2026-03-01T12:00:30Z"
            ok(member.client.patch(path, {"expires_at": None}))
            assert check(client, key["api_key"]) == 200

    @pytest.mark.both_databases
    def test_the_origins_of_a_publishable_key_can_be_changed(self, client: Client) -> None:
        member = client.sign_up()
        path = f"{KEYS}/{widget_key(member)['id']}"
        origins = ["https://a.example.com", "http://localhost:3000"]
        changed = ok(member.client.patch(path, {"allowed_origins": origins, "scopes": None}))
        assert changed["allowed_origins"] == origins
        assert changed["scopes"] == ["query"]

    def test_a_change_is_an_event_that_names_the_fields(self, client: Client) -> None:
        member = client.sign_up()
        key = member.create_key()
        ok(member.client.patch(f"{KEYS}/{key['id']}", {"scopes": ["query"], "name": "x"}))
        event = ok(member.client.get("/api/auth/events"))[0]
        assert event["name"] == "api_key:changed"
        assert event["details"]["fields"] == ["name", "scopes"]


@pytest.mark.both_ways
class TestRejectsInput:
    @for_each(
        "field",
        [
            *("id", "prefix", "kind", "environment", "agent_id", "is_primary", "replaced_by"),
            *("last_used_at", "revoked_at", "account_id", "digest"),
        ],
    )
    def test_what_a_key_is_cannot_be_changed(self, client: Client, field: str) -> None:
        """S26: unknown fields are refused."""
        member = client.sign_up()
        path = f"{KEYS}/{member.create_key()['id']}"
        assert issues(member.client.patch(path, {field: "test"})) == {(field,): "Unknown field"}

    def test_all_faults_are_named_at_once(self, client: Client) -> None:
        member = client.sign_up()
        body = {"name": None, "is_active": "yes", "scopes": [], "expires_at": 1, "allowed_ips": 1}
        response = member.client.patch(f"{KEYS}/x?y=1", body)
        assert set(issues(response)) == {("key_id",), ("y",), *((name,) for name in body)}

    def test_an_end_in_the_past_is_refused(self, client: Client) -> None:
        member = client.sign_up()
        key = member.create_key()
        body = {"expires_at": "2020-01-01T00:00:00Z", "name": "new"}
        response = member.client.patch(f"{KEYS}/{key['id']}", body)
        assert set(issues(response)) == {("expires_at",)}
        assert ok(member.client.get(f"{KEYS}/{key['id']}"))["name"] == "Further"

    @for_each(
        "change",
        [{"allowed_origins": None}, {"scopes": ["query", "ingest"]}, {"scopes": ["manage"]}],
    )
    def test_a_publishable_key_stays_within_its_bounds(
        self, client: Client, change: dict[str, object]
    ) -> None:
        member = client.sign_up()
        path = f"{KEYS}/{widget_key(member)['id']}"
        before = ok(member.client.get(path))
        assert set(issues(member.client.patch(path, change))) == {(name,) for name in change}
        assert ok(member.client.get(path)) == before

    def test_a_secret_key_gets_no_origins(self, client: Client) -> None:
        member = client.sign_up()
        body = {"allowed_origins": ["https://shop.example.com"]}
        response = member.client.patch(f"{KEYS}/{member.create_key()['id']}", body)
        assert set(issues(response)) == {("allowed_origins",)}


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "PATCH", NO_KEY, {"name": "x"})


class TestEnforcesOwnership:
    def test_anothers_key_a_dead_key_and_no_key_are_one_answer(self, client: Client) -> None:
        """S25: another account's thing and no thing are one answer."""
        member, other = client.sign_up(), client.sign_up()
        nothing = member.client.patch(NO_KEY, {"name": "mine now"})
        error(nothing, 404, "NOT_FOUND")
        others_path = f"{KEYS}/{other.create_key()['id']}"
        assert_same_answer(member.client.patch(others_path, {"name": "mine now"}), nothing)
        assert ok(other.client.get(others_path))["name"] == "Further"
        dead_path = f"{KEYS}/{member.create_key()['id']}"
        ok(member.client.delete(dead_path), 204)
        assert_same_answer(member.client.patch(dead_path, {"name": "mine now"}), nothing)
