"""GET and POST /api/agents/{id}/api-keys"""

import pytest

from tests.clients import Client, assert_needs_access_token, assert_same_answer, error, issues, ok

NO_AGENT = "/api/agents/agt_01h455vb4pex5vsknk084sn02q/api-keys"


class TestSucceeds:
    def test_a_key_is_bound_to_the_agent(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        path = f"/api/agents/{agent['id']}/api-keys"
        key = ok(member.client.post(path, {"name": "bot", "scopes": ["query"]}), 201)
        assert key["agent_id"] == agent["id"]
        assert not key["is_primary"]
        assert client.as_key(key.pop("api_key")).get("/api/v1/authorize").status_code == 200
        (listed,) = ok(member.client.get(path))
        assert {**listed, "last_used_at": None} == key

    @pytest.mark.both_databases
    def test_only_the_agents_keys_are_listed(self, client: Client) -> None:
        member = client.sign_up()
        agent, other_agent = member.create_agent(), member.create_agent()
        path = f"/api/agents/{agent['id']}/api-keys"
        member.create_key(agent_id=other_agent["id"])
        key = member.create_key(agent_id=agent["id"])
        assert [listed["id"] for listed in ok(member.client.get(path))] == [key["id"]]
        ok(member.client.delete(f"/api/auth/api-keys/{key['id']}"), 204)
        assert ok(member.client.get(path)) == []
        assert len(ok(member.client.get(f"{path}?include_revoked=true&limit=1"))) == 1


class TestRejectsInput:
    def test_the_agent_is_named_in_the_path_alone(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        path = f"/api/agents/{agent['id']}/api-keys"
        body = {"name": "bot", "agent_id": agent["id"]}
        assert issues(member.client.post(path, body)) == {("agent_id",): "Unknown field"}
        response = member.client.get(f"{path}?agent_id={agent['id']}")
        assert issues(response) == {("agent_id",): "Unknown field"}

    def test_all_faults_are_named_at_once(self, client: Client) -> None:
        response = client.sign_up().client.post("/api/agents/x/api-keys", {"kind": "x", "a": 1})
        assert set(issues(response)) == {("agent_id",), ("name",), ("kind",), ("a",)}


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "GET", NO_AGENT)
        assert_needs_access_token(client, "POST", NO_AGENT, {"name": "x"})


class TestEnforcesOwnership:
    def test_anothers_agent_a_deleted_one_and_no_agent_are_one_answer(self, client: Client) -> None:
        """S25: another account's thing and no thing are one answer."""
        member, other = client.sign_up(), client.sign_up()
        others_path = f"/api/agents/{other.create_agent()['id']}"
        deleted_path = f"/api/agents/{member.create_agent()['id']}"
        ok(member.client.delete(deleted_path), 204)
        no_keys = member.client.get(NO_AGENT)
        no_key = member.client.post(NO_AGENT, {"name": "x"})
        error(no_keys, 404, "NOT_FOUND")
        error(no_key, 404, "NOT_FOUND")
        for path in (others_path, deleted_path):
            assert_same_answer(member.client.get(f"{path}/api-keys"), no_keys)
            assert_same_answer(member.client.post(f"{path}/api-keys", {"name": "x"}), no_key)
