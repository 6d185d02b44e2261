"""The plan's requests a minute, shared by all keys of an account."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from tests.clients import Client, error, ok
from tests.factories.accounts import set_plan
from tests.factories.api_keys import make_service_key

TRIAL_MINUTE = 60
NOON = datetime(2027, 2, 10, 12, tzinfo=UTC)
POLICY = f'"minute";q={TRIAL_MINUTE};w=60, "month";q=1000;w={28 * 86_400}'
DAYS_LEFT = 18 * 86_400 + 12 * 3600


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands at noon of the 10th of February 2027 until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


pytestmark = pytest.mark.usefixtures("clock")


def authorize(caller: Client, query: str = "") -> int:
    return caller.get(f"/api/v1/authorize{query}").status_code


class TestTellsWhatIsLeft:
    def test_an_allowed_check_counts_one_in_the_minute_and_its_cost_in_the_month(
        self, client: Client
    ) -> None:
        response = client.sign_up().key_client.get("/api/v1/authorize?cost=7")
        assert response.headers["RateLimit-Policy"] == POLICY
        assert response.headers["RateLimit"] == (f'"minute";r=59;t=60, "month";r=993;t={DAYS_LEFT}')

    def test_every_answer_to_a_key_carries_both_headers(self, client: Client) -> None:
        member = client.sign_up()
        query_only = member.create_key(scopes=["query"])["api_key"]
        caller = client.as_key(query_only)
        for path, status in (
            ("/api/v1/me", 200),
            ("/api/v1/authorize?scope=manage", 403),
            ("/api/v1/no-such-thing", 404),
            ("/api/v1/authorize?cost=10000", 429),
        ):
            response = caller.get(path)
            assert response.status_code == status
            assert response.headers["RateLimit-Policy"] == POLICY, path
            assert re.fullmatch(
                r'"minute";r=60;t=60, "month";r=1000;t=\d+', response.headers["RateLimit"]
            ), path

    def test_an_unknown_key_is_told_nothing(self, client: Client) -> None:
        response = client.as_key("garbage").get("/api/v1/authorize")
        assert "RateLimit" not in response.headers
        assert "RateLimit-Policy" not in response.headers


class TestLimits:
    def test_exactly_the_plans_number_passes_in_a_minute(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        caller = client.sign_up().key_client
        answers = [authorize(caller) for _ in range(TRIAL_MINUTE + 5)]
        assert answers == [200] * TRIAL_MINUTE + [429] * 5
        clock.shift(59.9)
        assert authorize(caller) == 429
        clock.shift(0.1)
        assert authorize(caller) == 200

    def test_the_refusal_says_which_limit_its_size_and_when_it_ends(self, client: Client) -> None:
        caller = client.sign_up().key_client
        for _ in range(TRIAL_MINUTE):
            authorize(caller)
        response = caller.get("/api/v1/authorize")
        assert error(response, 429, "RATE_LIMIT_EXCEEDED") == {
            "limit": "requests_per_minute",
            "meter": "requests",
            "window": "minute",
            "of": "account",
            "size": TRIAL_MINUTE,
            "resets_at": "2027-02-10T12:01:00Z",
        }
        assert response.headers["Retry-After"] == "60"
        assert response.headers["RateLimit"].startswith('"minute";r=0;t=60')

    def test_all_keys_of_an_account_share_it(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()["id"]
        callers = [
            member.key_client,
            client.as_key(member.create_key()["api_key"]),
            client.as_key(member.create_key(agent_id=agent)["api_key"]),
        ]
        answers = [authorize(callers[turn % 3]) for turn in range(TRIAL_MINUTE + 3)]
        assert answers.count(200) == TRIAL_MINUTE

    def test_another_account_is_not_touched(self, client: Client) -> None:
        busy, calm = client.sign_up().key_client, client.sign_up().key_client
        for _ in range(TRIAL_MINUTE + 1):
            authorize(busy)
        assert authorize(calm) == 200

    def test_a_test_key_is_counted_apart(self, client: Client) -> None:
        member = client.sign_up()
        test_key = client.as_key(member.create_key(environment="test")["api_key"])
        for _ in range(TRIAL_MINUTE + 1):
            authorize(member.key_client)
        response = test_key.get("/api/v1/authorize")
        assert response.status_code == 200
        assert response.headers["X-Ragauth-Environment"] == "test"
        assert response.headers["RateLimit"].startswith('"minute";r=59;')

    def test_a_new_plan_counts_from_the_next_request_on(self, client: Client) -> None:
        member = client.sign_up()
        for _ in range(TRIAL_MINUTE + 1):
            authorize(member.key_client)
        set_plan(member, "starter")
        response = member.key_client.get("/api/v1/authorize")
        assert response.status_code == 200
        assert response.headers["RateLimit"].startswith('"minute";r=239;')

    def test_a_refusal_costs_nothing(self, client: Client) -> None:
        """S23: whatever is refused leaves both counters as they were."""
        member = client.sign_up()
        stranger = client.sign_up().create_agent()["id"]
        for query in (
            "?scope=nonsense",
            f"?agent_id={stranger}",
            "?cost=-1",
            "?cost=1001",
            "?cost=1&cost=2",
        ):
            assert authorize(member.key_client, query) in (400, 403, 429)
        response = member.key_client.get("/api/v1/authorize?cost=0")
        assert response.headers["RateLimit"].startswith('"minute";r=59;t=60, "month";r=1000;')

    def test_asking_who_one_is_costs_nothing(self, client: Client) -> None:
        caller = client.sign_up().key_client
        for _ in range(3):
            usage = ok(caller.get("/api/v1/me"))["usage"]
        assert usage == {
            "this_month": 0,
            "remaining": 1000,
            "resets_at": "2027-03-01T00:00:00Z",
        }


class TestGateways:
    def test_on_limit_403_says_429_in_a_header_for_nginx(self, client: Client) -> None:
        caller = client.sign_up().key_client
        for _ in range(TRIAL_MINUTE):
            authorize(caller)
        response = caller.get("/api/v1/authorize?on_limit=403")
        error(response, 403, "RATE_LIMIT_EXCEEDED")
        assert response.headers["X-Ragauth-Status"] == "429"
        assert response.headers["Retry-After"] == "60"

    def test_on_limit_403_changes_no_other_refusal(self, client: Client) -> None:
        response = client.as_key("garbage").get("/api/v1/authorize?on_limit=403")
        error(response, 401, "AUTHENTICATION_ERROR", "malformed")
        assert "X-Ragauth-Status" not in response.headers

    def test_verify_tells_the_service_what_to_relay(self, client: Client) -> None:
        member = client.sign_up()
        service = client.as_key(make_service_key(client.app, "verify"))
        for _ in range(TRIAL_MINUTE):
            answer = ok(service.post("/api/v1/keys/verify", {"key": member.api_key}))
            assert answer["valid"] is True
        refused = ok(service.post("/api/v1/keys/verify", {"key": member.api_key}))
        assert (refused["valid"], refused["code"], refused["status"]) == (
            False,
            "RATE_LIMIT_EXCEEDED",
            429,
        )
        assert refused["headers"]["Retry-After"] == "60"
        assert refused["headers"]["RateLimit-Policy"] == POLICY
        assert refused["account_id"] == member.id

    def test_a_services_own_key_has_no_limit(self, client: Client) -> None:
        service = client.as_key(make_service_key(client.app, "verify"))
        response = service.post("/api/v1/keys/verify", {"key": "garbage"})
        assert "RateLimit" not in response.headers
