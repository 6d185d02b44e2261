"""GET /api/auth/events"""

import pytest

from tests.clients import PASSWORD, Client, assert_needs_access_token, ok
from tests.factories.api_keys import make_service_key

PATH = "/api/auth/events"


class TestSucceeds:
    def test_an_event_tells_what_happened_when_and_from_where(self, client: Client) -> None:
        body = {"email": "ada@example.com", "password": PASSWORD}
        data = ok(client.post("/api/auth/signup", body, headers={"User-Agent": "Firefox"}), 201)
        key_event, account_event = ok(client.as_user(data["token"]).get(PATH))
        assert set(account_event) == {"id", "name", "at", "ip", "user_agent", "details"}
        assert account_event["id"].startswith("evt_")
        assert account_event["name"] == "account:created"
        assert account_event["at"].endswith("Z")
        assert account_event["ip"] == "127.0.0.1"
        assert account_event["user_agent"] == "Firefox"
        assert account_event["details"] == {}
        assert set(key_event["details"]) == {"key_id", "prefix"}

    def test_only_the_operators_own_calls_may_say_that_the_operator_acted(
        self, client: Client
    ) -> None:
        """Whoever stole a session would hide behind the name."""
        headers = {"User-Agent": "operator"}
        body = {"email": "ada@example.com", "password": PASSWORD}
        data = ok(client.post("/api/auth/signup", body, headers=headers), 201)
        service = client.as_key(make_service_key(client.app, "accounts"))
        path = f"/api/v1/internal/accounts/{data['account']['id']}"
        ok(service.patch(path, {"plan": "pro"}, headers=headers))
        events = ok(client.as_user(data["token"]).get(PATH))
        agents = [event["user_agent"] for event in events]
        assert agents == ["operator", '"operator"', '"operator"']

    @pytest.mark.both_databases
    def test_whatever_happens_is_there_newest_first(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        key = member.create_key(agent_id=agent["id"])
        path = f"/api/auth/api-keys/{key['id']}"
        ok(member.client.patch(path, {"name": "Renamed"}))
        rotated = ok(member.client.post(f"{path}/rotate"), 201)
        ok(member.client.delete(f"/api/auth/api-keys/{rotated['id']}"), 204)
        ok(member.client.post("/api/auth/api-key/regenerate"))
        ok(member.client.delete(f"/api/agents/{agent['id']}"), 204)
        assert member.event_names() == [
            *("agent:deleted", "api_key:rotated", "api_key:revoked", "api_key:rotated"),
            *("api_key:changed", "api_key:created", "agent:created"),
            *("api_key:created", "account:created"),
        ]

    def test_no_secret_stands_in_an_event(self, client: Client) -> None:
        """S27: no raw key, token or password in an event."""
        member = client.sign_up()
        key = member.create_key()
        rotated = ok(member.client.post(f"/api/auth/api-keys/{key['id']}/rotate"), 201)
        client.post("/api/auth/login", {"email": member.email, "password": "wrong password"})
        text = member.client.get(PATH).text
        for secret in (
            *(member.api_key, key["api_key"], rotated["api_key"], member.token),
            *(member.refresh_token, PASSWORD, "wrong password"),
        ):
            assert secret not in text


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "GET", PATH)


class TestEnforcesOwnership:
    def test_everybody_sees_their_own_history_alone(self, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        own = {event["id"] for event in ok(member.client.get(PATH))}
        assert len(own) == 2
        assert own.isdisjoint(event["id"] for event in ok(other.client.get(PATH)))
