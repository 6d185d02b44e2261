"""GET, PATCH and DELETE /api/agents/{id}"""

import pytest

from tests.clients import Client, assert_needs_access_token, assert_same_answer, error, issues, ok

NO_AGENT = "/api/agents/agt_01h455vb4pex5vsknk084sn02q"


class TestSucceeds:
    @pytest.mark.both_databases
    def test_what_is_named_changes_and_the_rest_stays(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent(name="Bot", description="Answers")
        path = f"/api/agents/{agent['id']}"
        assert ok(member.client.patch(path, {"name": "Robot"})) == {**agent, "name": "Robot"}
        changed = ok(member.client.patch(path, {"description": None}))
        assert changed == {**agent, "name": "Robot", "description": None}
        assert ok(member.client.patch(path, {})) == changed
        assert ok(member.client.get(path)) == changed

    @pytest.mark.both_databases
    def test_deleting_it_kills_its_keys_at_once_and_no_others(self, client: Client) -> None:
        """S20: a dead key is refused from the moment that the answer was sent."""
        member = client.sign_up()
        agent, other_agent = member.create_agent(), member.create_agent()
        doomed = member.create_key(agent_id=agent["id"])
        spared = member.create_key(agent_id=other_agent["id"])
        ok(member.client.delete(f"/api/agents/{agent['id']}"), 204)
        response = client.as_key(doomed["api_key"]).get("/api/v1/authorize")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        for key in (spared["api_key"], member.api_key):
            assert client.as_key(key).get("/api/v1/authorize").status_code == 200
        assert [agent["id"] for agent in ok(member.client.get("/api/agents"))] == [
            other_agent["id"]
        ]
        deleted, revoked = ok(member.client.get("/api/auth/events"))[:2]
        assert (deleted["name"], deleted["details"]["revoked_keys"]) == ("agent:deleted", 1)
        assert (revoked["name"], revoked["details"]["key_id"]) == ("api_key:revoked", doomed["id"])
        assert revoked["details"]["by"] == "agent"

    def test_a_key_of_a_deleted_agent_can_still_be_looked_at(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        key = member.create_key(agent_id=agent["id"])
        ok(member.client.delete(f"/api/agents/{agent['id']}"), 204)
        path = f"/api/auth/api-keys/{key['id']}?include_revoked=true"
        assert not ok(member.client.get(path))["is_active"]


class TestRejectsInput:
    def test_all_faults_are_named_at_once(self, client: Client) -> None:
        response = client.sign_up().client.patch("/api/agents/x", {"name": None, "created_at": 1})
        assert set(issues(response)) == {("agent_id",), ("name",), ("created_at",)}


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "GET", NO_AGENT)
        assert_needs_access_token(client, "PATCH", NO_AGENT, {"name": "x"})
        assert_needs_access_token(client, "DELETE", NO_AGENT)


class TestEnforcesOwnership:
    def test_anothers_agent_a_deleted_one_and_no_agent_are_one_answer(self, client: Client) -> None:
        """S25: another account's thing and no thing are one answer."""
        member, other = client.sign_up(), client.sign_up()
        others_path = f"/api/agents/{other.create_agent()['id']}"
        deleted_path = f"/api/agents/{member.create_agent()['id']}"
        ok(member.client.delete(deleted_path), 204)
        for method, body in (("GET", None), ("PATCH", {"name": "mine now"}), ("DELETE", None)):
            nothing = member.client.request(method, NO_AGENT, json=body)
            error(nothing, 404, "NOT_FOUND")
            for path in (others_path, deleted_path):
                assert_same_answer(member.client.request(method, path, json=body), nothing)
        assert ok(other.client.get(others_path))["name"] == "Support bot"
