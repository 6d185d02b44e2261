"""POST /api/v1/keys/revoke"""

import pytest

from tests.clients import Client, error, issues, ok
from tests.factories.api_keys import make_service_key, mistyped, unknown_key

PATH = "/api/v1/keys/revoke"


class TestSucceeds:
    @pytest.mark.every_database
    def test_whoever_holds_a_key_may_kill_it_at_once(self, client: Client) -> None:
        """S20: a dead key is refused from the moment that the answer was sent."""
        member = client.sign_up()
        assert member.key_client.get("/api/v1/authorize").status_code == 200
        ok(client.post(PATH, {"key": member.api_key}), 204)
        response = member.key_client.get("/api/v1/authorize")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_the_owner_sees_it_in_the_history(self, client: Client) -> None:
        member = client.sign_up()
        ok(client.post(PATH, {"key": member.api_key}), 204)
        ok(client.post(PATH, {"key": member.api_key}), 204)
        first, second = ok(member.client.get("/api/auth/events"))[:2]
        assert (first["name"], first["details"]["by"]) == ("api_key:revoked", "holder")
        assert second["name"] == "api_key:created"

    def test_a_services_key_can_be_killed_too(self, client: Client) -> None:
        key = make_service_key(client.app, "verify")
        ok(client.post(PATH, {"key": key}), 204)
        error(client.as_key(key).get("/api/v1/me"), 401, "AUTHENTICATION_ERROR", "revoked")

    def test_a_key_of_a_web_page_is_not_every_visitors_to_kill(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        key = member.create_key(
            kind="publishable", agent_id=agent["id"], allowed_origins=["https://shop.test"]
        )["api_key"]
        visitor = Client(client.app, {"X-API-Key": key, "Origin": "https://shop.test"})
        ok(client.post(PATH, {"key": key}), 204)
        holder = ok(visitor.get("/api/v1/me"))
        assert holder["key"]["kind"] == "publishable"
        # Nor does it tell them whose page it is.
        assert holder["account"] is None
        assert member.email not in visitor.get("/api/v1/me").text

    def test_what_is_no_key_has_the_same_answer(self, client: Client) -> None:
        """S25: nobody learns whether a key exists."""
        member = client.sign_up()
        for text in (unknown_key(), mistyped(member.api_key), member.token, "", "é"):
            ok(client.post(PATH, {"key": text}), 204)
        ok(member.key_client.get("/api/v1/me"))

    def test_a_credential_in_the_header_is_not_touched(self, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        ok(other.key_client.post(PATH, {"key": member.api_key}), 204)
        ok(other.key_client.get("/api/v1/me"))


class TestRejectsInput:
    def test_all_faults_are_named_at_once(self, client: Client) -> None:
        assert issues(client.post(PATH, {"keys": []})) == {
            ("key",): "Required",
            ("keys",): "Unknown field",
        }
        for value in (None, 5, ["x"], "x" * 4097, "\0", "\ud800"):
            assert set(issues(client.post(PATH, {"key": value}))) == {("key",)}
