"""GET /api/v1/me"""

import pytest

from tests.clients import Client, error, ok
from tests.factories.accounts import set_plan, suspend
from tests.factories.api_keys import make_service_key

PATH = "/api/v1/me"


class TestSucceeds:
    def test_it_tells_whose_key_it_is_and_what_it_may(self, client: Client) -> None:
        member = client.sign_up(name="Ada")
        data = ok(member.key_client.get(PATH))
        assert set(data) == {"account", "key", "limits", "usage", "quotas"}
        me = ok(member.client.get("/api/auth/me"))
        assert data["account"] == me
        (listed,) = ok(member.client.get("/api/auth/api-keys"))
        assert {**data["key"], "last_used_at": None} == {**listed, "last_used_at": None}
        assert data["limits"] == {"requests_per_minute": 60, "requests_per_month": 1000}

    @pytest.mark.every_database
    def test_it_tells_when_the_key_was_used_last_although_it_saves_nothing(
        self, client: Client
    ) -> None:
        member = client.sign_up()
        member.key_client.get("/api/v1/authorize?cost=1")
        told = ok(member.key_client.get(PATH))["key"]["last_used_at"]
        assert told is not None
        (listed,) = ok(member.client.get("/api/auth/api-keys"))
        assert listed["last_used_at"] == told
        assert ok(member.key_client.get(PATH))["key"]["last_used_at"] == told

    @pytest.mark.every_database
    def test_the_limits_are_those_of_the_plan(self, client: Client) -> None:
        member = client.sign_up()
        set_plan(member, "scale")
        limits = ok(member.key_client.get(PATH))["limits"]
        assert limits == {"requests_per_minute": 6000, "requests_per_month": 20_000_000}

    def test_bearer_and_x_api_key_are_both_read(self, client: Client) -> None:
        member = client.sign_up()
        ok(client.as_user(member.api_key).get(PATH))
        ok(client.get(PATH, headers={"Authorization": f"bEARER {member.api_key}"}))
        ok(client.as_user(member.api_key).as_key(member.api_key).get(PATH))

    def test_an_agents_key_may_read_it(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        key = member.create_key(agent_id=agent["id"], scopes=["query"])
        data = ok(client.as_key(key["api_key"]).get(PATH))
        assert data["key"]["agent_id"] == agent["id"]
        assert data["account"]["id"] == member.id

    def test_a_service_key_sees_no_account(self, client: Client) -> None:
        key = make_service_key(client.app, "verify", "usage")
        data = ok(client.as_key(key).get(PATH))
        assert data["account"] is None
        assert data["key"]["kind"] == "service"
        assert data["key"]["scopes"] == ["verify", "usage"]
        assert data["key"]["prefix"] == key[:12]

    def test_the_raw_key_is_not_repeated(self, client: Client) -> None:
        """S19: shown once."""
        member = client.sign_up()
        assert member.api_key not in member.key_client.get(PATH).text


class TestRequiresAuthentication:
    def test_a_token_is_no_key(self, client: Client) -> None:
        member = client.sign_up()
        for caller in (member.client, client.as_user(member.refresh_token)):
            error(caller.get(PATH), 401, "AUTHENTICATION_ERROR", "wrong_credential_type")
        response = client.as_key(member.token).get(PATH)
        error(response, 401, "AUTHENTICATION_ERROR", "wrong_credential_type")

    def test_two_different_keys_are_none(self, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        response = client.as_user(member.api_key).as_key(other.api_key).get(PATH)
        error(response, 401, "AUTHENTICATION_ERROR", "malformed")
        response = member.client.as_key(member.api_key).get(PATH)
        error(response, 401, "AUTHENTICATION_ERROR", "malformed")

    def test_a_suspended_account_is_told_so(self, client: Client) -> None:
        """S14: suspension takes effect on the next request."""
        member = client.sign_up()
        ok(member.key_client.get(PATH))
        suspend(member)
        error(member.key_client.get(PATH), 403, "AUTHORIZATION_ERROR", "account_suspended")
