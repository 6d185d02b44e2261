"""DELETE /api/auth/api-keys/{id}"""

import pytest

from tests.clients import Client, assert_needs_access_token, assert_same_answer, error, issues, ok

KEYS = "/api/auth/api-keys"
NO_KEY = f"{KEYS}/key_01h455vb4pex5vsknk084sn02q"


@pytest.mark.both_ways
class TestSucceeds:
    @pytest.mark.every_database
    def test_the_key_is_dead_at_once(self, client: Client) -> None:
        """S20: a dead key is refused from the moment that the answer was sent."""
        member = client.sign_up()
        key = member.create_key()
        ok(member.client.delete(f"{KEYS}/{key['id']}"), 204)
        for path in ("/api/v1/authorize", "/api/v1/me", "/api/v1/unknown"):
            response = client.as_key(key["api_key"]).get(path)
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        assert member.event_names()[0] == "api_key:revoked"

    def test_the_primary_key_can_be_revoked_too(self, client: Client) -> None:
        member = client.sign_up()
        (primary,) = ok(member.client.get(KEYS))
        ok(member.client.delete(f"{KEYS}/{primary['id']}"), 204)
        error(member.key_client.get("/api/v1/me"), 401, "AUTHENTICATION_ERROR", "revoked")

    @pytest.mark.both_databases
    def test_a_key_in_its_grace_can_be_revoked(self, client: Client) -> None:
        member = client.sign_up()
        key = member.create_key()
        path = f"{KEYS}/{key['id']}"
        ok(member.client.post(f"{path}/rotate", {"grace_seconds": 600}), 201)
        ok(member.client.delete(path), 204)
        response = client.as_key(key["api_key"]).get("/api/v1/me")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_other_keys_live_on(self, client: Client) -> None:
        member = client.sign_up()
        ok(member.client.delete(f"{KEYS}/{member.create_key()['id']}"), 204)
        assert member.key_client.get("/api/v1/authorize").status_code == 200


@pytest.mark.both_ways
class TestRejectsInput:
    def test_an_id_of_another_form_is_a_fault(self, client: Client) -> None:
        member = client.sign_up()
        for text in ("x", "%00", "agt_01h455vb4pex5vsknk084sn02q", member.api_key):
            assert set(issues(member.client.delete(f"{KEYS}/{text}"))) == {("key_id",)}


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "DELETE", NO_KEY)


class TestEnforcesOwnership:
    def test_anothers_key_a_dead_key_and_no_key_are_one_answer(self, client: Client) -> None:
        """S25: another account's thing and no thing are one answer."""
        member, other = client.sign_up(), client.sign_up()
        nothing = member.client.delete(NO_KEY)
        error(nothing, 404, "NOT_FOUND")
        (others,) = ok(other.client.get(KEYS))
        assert_same_answer(member.client.delete(f"{KEYS}/{others['id']}"), nothing)
        assert other.key_client.get("/api/v1/authorize").status_code == 200
        path = f"{KEYS}/{member.create_key()['id']}"
        ok(member.client.delete(path), 204)
        assert_same_answer(member.client.delete(path), nothing)
