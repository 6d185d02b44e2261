"""POST and GET /api/agents"""

import re

import pytest

from tests.cases import for_each
from tests.clients import Client, assert_needs_access_token, issues, ok

PATH = "/api/agents"


class TestSucceeds:
    def test_an_agent_is_made(self, client: Client) -> None:
        member = client.sign_up()
        agent = ok(member.client.post(PATH, {"name": "Bot", "description": "Answers"}), 201)
        assert re.fullmatch(r"agt_[0-7][0-9a-hjkmnp-tv-z]{25}", agent["id"])
        assert agent["created_at"].endswith("Z")
        assert agent == {
            "id": agent["id"],
            "name": "Bot",
            "description": "Answers",
            "created_at": agent["created_at"],
        }
        assert ok(member.client.get(f"{PATH}/{agent['id']}")) == agent
        assert member.event_names()[0] == "agent:created"

    @for_each("fields", [{}, {"description": None}])
    def test_a_description_is_not_needed(self, client: Client, fields: dict[str, None]) -> None:
        assert client.sign_up().create_agent(**fields)["description"] is None

    @pytest.mark.every_database
    def test_the_agents_are_listed_newest_first(self, client: Client) -> None:
        member = client.sign_up()
        assert ok(member.client.get(PATH)) == []
        agents = [member.create_agent(name=name) for name in ("first", "second")]
        assert ok(member.client.get(PATH)) == agents[::-1]
        first_page = member.client.get(f"{PATH}?limit=1").get_json()
        cursor = first_page["meta"]["next_cursor"]
        assert ok(member.client.get(f"{PATH}?limit=1&cursor={cursor}")) == agents[:1]


class TestRejectsInput:
    def test_all_faults_are_named_at_once(self, client: Client) -> None:
        member = client.sign_up()
        body = {"name": "", "description": "x" * 1001, "id": "agt_x"}
        assert set(issues(member.client.post(PATH, body))) == {
            *(("name",), ("description",), ("id",))
        }
        assert issues(member.client.post(PATH)) == {("name",): "Required"}
        assert set(issues(member.client.post(PATH, {"name": "x" * 101}))) == {("name",)}
        assert ok(member.client.get(PATH)) == []


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "GET", PATH)
        assert_needs_access_token(client, "POST", PATH, {"name": "x"})


class TestEnforcesOwnership:
    def test_everybody_sees_their_own_agents_alone(self, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        other.create_agent()
        assert ok(member.client.get(PATH)) == []
