"""A plan's number of keys and of agents."""

import pytest

from tests.clients import Client, error, ok
from tests.factories.accounts import set_plan

TRIAL_KEYS = 5
TRIAL_AGENTS = 2


class TestKeys:
    @pytest.mark.both_databases
    def test_one_more_than_the_plan_allows_is_refused(self, client: Client) -> None:
        member = client.sign_up()
        for _ in range(TRIAL_KEYS - 1):
            member.create_key()
        response = member.client.post("/api/auth/api-keys", {"name": "one too many"})
        assert error(response, 429, "USAGE_LIMIT_EXCEEDED") == {
            "limit": "max_keys",
            "size": TRIAL_KEYS,
        }
        assert "Retry-After" not in response.headers

    @pytest.mark.both_databases
    def test_a_dead_key_and_one_in_its_grace_make_room(self, client: Client) -> None:
        member = client.sign_up()
        keys = [member.create_key() for _ in range(TRIAL_KEYS - 1)]
        ok(member.client.delete(f"/api/auth/api-keys/{keys[0]['id']}"), 204)
        member.create_key()
        rotation = f"/api/auth/api-keys/{keys[1]['id']}/rotate"
        ok(member.client.post(rotation, {"grace_seconds": 60}), 201)
        error(member.client.post("/api/auth/api-keys", {"name": "x"}), 429, "USAGE_LIMIT_EXCEEDED")

    def test_a_full_account_can_still_replace_its_keys(self, client: Client) -> None:
        member = client.sign_up()
        key = [member.create_key() for _ in range(TRIAL_KEYS - 1)][-1]
        ok(member.client.post("/api/auth/api-key/regenerate"))
        ok(member.client.post(f"/api/auth/api-keys/{key['id']}/rotate"), 201)

    def test_a_larger_plan_makes_room(self, client: Client) -> None:
        member = client.sign_up()
        for _ in range(TRIAL_KEYS - 1):
            member.create_key()
        set_plan(member, "starter")
        member.create_key()


class TestAgents:
    @pytest.mark.both_databases
    def test_one_more_than_the_plan_allows_is_refused(self, client: Client) -> None:
        member = client.sign_up()
        agents = [member.create_agent() for _ in range(TRIAL_AGENTS)]
        response = member.client.post("/api/agents", {"name": "one too many"})
        assert error(response, 429, "USAGE_LIMIT_EXCEEDED") == {
            "limit": "max_agents",
            "size": TRIAL_AGENTS,
        }
        ok(member.client.delete(f"/api/agents/{agents[0]['id']}"), 204)
        member.create_agent()
