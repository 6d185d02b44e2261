"""POST /api/auth/api-keys/{id}/rotate"""

import pytest
import time_machine

from tests.cases import for_each
from tests.clients import Client, assert_needs_access_token, assert_same_answer, error, issues, ok

KEYS = "/api/auth/api-keys"
NO_KEY = f"{KEYS}/key_01h455vb4pex5vsknk084sn02q/rotate"
KEPT = (
    *("name", "kind", "environment", "agent_id", "scopes", "is_active", "is_primary"),
    *("allowed_ips", "allowed_origins", "expires_at"),
)


def check(client: Client, api_key: str) -> int:
    return client.as_key(api_key).get("/api/v1/authorize").status_code


@pytest.mark.both_ways
class TestSucceeds:
    @pytest.mark.both_databases
    def test_without_a_grace_the_old_key_is_dead_at_once(self, client: Client) -> None:
        """S20: a dead key is refused from the moment that the answer was sent."""
        member = client.sign_up()
        old = member.create_key()
        new = ok(member.client.post(f"{KEYS}/{old['id']}/rotate"), 201)
        response = client.as_key(old["api_key"]).get("/api/v1/authorize")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        assert check(client, new["api_key"]) == 200

    def test_the_new_key_has_all_that_the_old_one_had(self, client: Client) -> None:
        member = client.sign_up()
        old = member.create_key(
            environment="test",
            scopes=["query"],
            agent_id=member.create_agent()["id"],
            allowed_ips=["203.0.113.0/24"],
            expires_at="2999-01-01T00:00:00Z",
        )
        new = ok(member.client.post(f"{KEYS}/{old['id']}/rotate", {"grace_seconds": 60}), 201)
        assert {name: new[name] for name in KEPT} == {name: old[name] for name in KEPT}
        assert new["id"] != old["id"]
        assert new["api_key"] != old["api_key"]

    def test_a_publishable_key_stays_one(self, client: Client) -> None:
        member = client.sign_up()
        old = member.create_key(
            kind="publishable",
            agent_id=member.create_agent()["id"],
            allowed_origins=["https://shop.example.com"],
        )
        new = ok(member.client.post(f"{KEYS}/{old['id']}/rotate"), 201)
        assert new["api_key"].startswith("rag_pub_")
        assert {name: new[name] for name in KEPT} == {name: old[name] for name in KEPT}

    @pytest.mark.every_database
    def test_both_work_until_the_grace_ends(self, client: Client) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            member = client.sign_up()
            old = member.create_key()
            path = f"{KEYS}/{old['id']}"
            new = ok(member.client.post(f"{path}/rotate", {"grace_seconds": 60}), 201)
            in_grace = ok(member.client.get(path))
            assert in_grace["replaced_by"] == new["id"]
            assert in_grace["expires_at"] == "2026-03-01T12:01:00Z"
            clock.shift(59)
            assert check(client, old["api_key"]) == 200
            assert check(client, new["api_key"]) == 200
            clock.shift(1)
            response = client.as_key(old["api_key"]).get("/api/v1/authorize")
            error(response, 401, "AUTHENTICATION_ERROR", "expired")
            assert check(client, new["api_key"]) == 200

    @pytest.mark.both_databases
    def test_a_grace_does_not_prolong_a_key(self, client: Client) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
            member = client.sign_up()
            old = member.create_key(expires_at="2026-03-01T12:00:30Z")
            path = f"{KEYS}/{old['id']}"
            ok(member.client.post(f"{path}/rotate", {"grace_seconds": 60}), 201)
            assert ok(member.client.get(path))["expires_at"] == "2026-03-01T12:00:30Z"

    def test_an_owners_successor_of_the_primary_key_is_primary(
        self, client: Client, way: str
    ) -> None:
        """A managed key never is: its owner could not regenerate it."""
        member = client.sign_up()
        (primary,) = ok(member.client.get(KEYS))
        body = {"grace_seconds": 3600}
        new = ok(member.client.post(f"{KEYS}/{primary['id']}/rotate", body), 201)
        keys = ok(member.client.get(KEYS))
        assert {key["id"]: key["is_primary"] for key in keys} == {
            new["id"]: way == "owner",
            primary["id"]: False,
        }

    def test_a_disabled_key_has_a_disabled_successor(self, client: Client) -> None:
        member = client.sign_up()
        path = f"{KEYS}/{member.create_key()['id']}"
        ok(member.client.patch(path, {"is_active": False}))
        new = ok(member.client.post(f"{path}/rotate"), 201)
        assert not new["is_active"]
        assert check(client, new["api_key"]) == 401


@pytest.mark.both_ways
class TestRejectsInput:
    @for_each("seconds", [-1, 604_801, "60", 1.5, True, None, 10**30, [60]])
    def test_a_grace_is_0_to_604800_seconds(self, client: Client, seconds: object) -> None:
        member = client.sign_up()
        key = member.create_key()
        body = {"grace_seconds": seconds}
        response = member.client.post(f"{KEYS}/{key['id']}/rotate", body)
        assert set(issues(response)) == {("grace_seconds",)}
        assert check(client, key["api_key"]) == 200

    def test_all_faults_are_named_at_once(self, client: Client) -> None:
        response = client.sign_up().client.post(f"{KEYS}/x/rotate", {"grace_seconds": -1, "now": 1})
        assert set(issues(response)) == {("key_id",), ("grace_seconds",), ("now",)}

    def test_a_key_in_its_grace_has_a_successor_already(self, client: Client) -> None:
        member = client.sign_up()
        path = f"{KEYS}/{member.create_key()['id']}/rotate"
        ok(member.client.post(path, {"grace_seconds": 60}), 201)
        error(member.client.post(path), 409, "CONFLICT")


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "POST", NO_KEY, {})


class TestEnforcesOwnership:
    def test_anothers_key_a_dead_key_and_no_key_are_one_answer(self, client: Client) -> None:
        """S25: another account's thing and no thing are one answer."""
        member, other = client.sign_up(), client.sign_up()
        nothing = member.client.post(NO_KEY)
        error(nothing, 404, "NOT_FOUND")
        others = other.create_key()
        assert_same_answer(member.client.post(f"{KEYS}/{others['id']}/rotate"), nothing)
        assert check(client, others["api_key"]) == 200
        dead = member.create_key()
        ok(member.client.delete(f"{KEYS}/{dead['id']}"), 204)
        assert_same_answer(member.client.post(f"{KEYS}/{dead['id']}/rotate"), nothing)
