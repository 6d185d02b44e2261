"""Limits of keys and accounts: what a check takes of each, and what the answer tells."""

from collections.abc import Callable

import pytest
import time_machine
from flask import Flask

from tests.api.metering.asking import authorize, items, key_with, left, limit
from tests.cases import for_each
from tests.clients import Client, Member, error, ok
from tests.factories.accounts import set_plan
from tests.factories.policies import metered
from tests.servers.redis import start_redis

DAY = 86_400
NOON_TO_MONTH_END = 18 * DAY + DAY // 2


class TestOfKeys:
    def test_so_many_requests_pass_in_a_window_and_then_again(
        self, member: Member, clock: time_machine.Traveller
    ) -> None:
        caller = key_with(member, limit("requests", "10s", 2))
        assert [authorize(caller).status_code for _ in range(4)] == [200, 200, 429, 429]
        clock.shift(9.999)
        assert authorize(caller).status_code == 429
        clock.shift(0.001)
        assert authorize(caller).status_code == 200

    def test_another_key_and_the_account_are_not_touched(self, member: Member) -> None:
        caller = key_with(member, limit("requests", "minute", 1))
        other = key_with(member, limit("requests", "minute", 1))
        for each in (caller, other, member.key_client):
            assert authorize(each).status_code == 200
        assert authorize(caller).status_code == 429
        assert authorize(member.key_client).status_code == 200

    def test_live_and_test_keys_count_apart(self, member: Member) -> None:
        for environment in ("live", "test"):
            caller = key_with(member, limit("requests", "total", 1), environment=environment)
            assert [authorize(caller).status_code for _ in range(2)] == [200, 429]

    def test_a_check_takes_its_cost_in_the_calendar_and_in_all_and_one_elsewhere(
        self, member: Member
    ) -> None:
        windows = ("hour", "1500ms", "day", "month", "total")
        caller = key_with(member, *(limit("requests", window, 100) for window in windows))
        told = left(authorize(caller, "cost=7"))
        assert told == {
            **{"minute": 59, "month": 993},
            **{"key-hour": 99, "key-1500ms": 99},
            **{"key-day": 93, "key-month": 93, "key-total": 93},
        }

    def test_a_meter_is_used_in_all_windows(self, member: Member) -> None:
        windows = ("minute", "day", "month", "total")
        caller = key_with(member, *(limit("tokens", window, 1000) for window in windows))
        told = left(authorize(caller, "use=tokens:300&use=pages:2&cost=5"))
        assert {name: told[name] for name in told if "tokens" in name} == {
            f"key-tokens-{window}": 700 for window in windows
        }
        assert authorize(caller, "use=tokens:701").status_code == 429
        assert authorize(caller, "use=tokens:700").status_code == 200
        # Nothing more fits, and what takes nothing does.
        assert authorize(caller, "use=tokens:1").status_code == 429
        assert authorize(caller).status_code == 200

    def test_a_limit_of_zero_allows_nothing_and_no_limit_everything(self, member: Member) -> None:
        response = authorize(key_with(member, limit("requests", "hour", 0)))
        assert error(response, 429, "RATE_LIMIT_EXCEEDED")["size"] == 0
        assert authorize(key_with(member), "use=tokens:1000000000000").status_code == 200

    def test_a_changed_limit_keeps_its_count(self, member: Member) -> None:
        made = member.create_key(
            limits=[limit("tokens", "total", 10), limit("requests", "hour", 9)]
        )
        caller = Client(member.client.app).as_key(made["api_key"])
        path = f"/api/auth/api-keys/{made['id']}"
        assert authorize(caller, "use=tokens:8").status_code == 200
        ok(member.client.patch(path, {"limits": [limit("tokens", "total", 20)]}))
        assert left(authorize(caller, "use=tokens:8"))["key-tokens-total"] == 4
        ok(member.client.patch(path, {"limits": [limit("tokens", "total", 3)]}))
        assert authorize(caller).status_code == 429
        ok(member.client.patch(path, {"limits": None}))
        assert authorize(caller, "use=tokens:8").status_code == 200

    def test_a_limit_of_a_meter_that_is_gone_counts_for_nothing(
        self, member: Member, make_app: Callable[..., Flask]
    ) -> None:
        made = member.create_key(limits=[limit("tokens", "total", 0), limit("requests", "day", 1)])
        response = authorize(Client(make_app()).as_key(made["api_key"]))
        assert response.status_code == 200
        assert list(left(response)) == ["minute", "month", "key-day"]

    def test_a_publishable_key_is_limited_too(self, member: Member) -> None:
        origin = "https://shop.example.com"
        caller = key_with(
            member,
            limit("requests", "minute", 1),
            kind="publishable",
            agent_id=member.create_agent()["id"],
            allowed_origins=[origin],
        )
        answers = [caller.get("/api/v1/authorize", headers={"Origin": origin}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]


class TestNamed:
    @pytest.fixture
    def caller(self, member: Member) -> Client:
        return key_with(
            member,
            limit("requests", "minute", 5, name="always"),
            limit("requests", "minute", 2, name="chat", applies="named"),
            limit("tokens", "day", 100, name="chat-tokens", applies="named"),
        )

    def test_they_count_only_for_checks_that_name_them(self, caller: Client) -> None:
        assert list(left(authorize(caller))) == ["minute", "month", "key-always"]
        told = left(authorize(caller, "limit=chat&limit=chat-tokens&use=tokens:60"))
        assert told == {
            **{"minute": 58, "month": 998},
            **{"key-always": 3, "key-chat": 1, "key-chat-tokens": 40},
        }
        assert authorize(caller, "limit=chat-tokens&use=tokens:41").status_code == 429
        assert authorize(caller, "limit=chat").status_code == 200
        refused = authorize(caller, "limit=chat")
        assert error(refused, 429, "RATE_LIMIT_EXCEEDED")["of"] == "key"
        assert '"chat" of 2 requests a minute' in refused.get_json()["error"]["message"]
        assert authorize(caller, "use=tokens:41").status_code == 200

    @for_each("name", ["unknown", "", "Chat", "chat ", "%22", "x" * 60, "50", "chat%00"])
    def test_a_name_that_the_key_has_no_limit_of_applies_to_nothing(
        self, caller: Client, name: str
    ) -> None:
        assert list(left(authorize(caller, f"limit={name}"))) == ["minute", "month", "key-always"]

    def test_naming_one_twice_is_naming_it(self, caller: Client) -> None:
        assert left(authorize(caller, "limit=chat&limit=chat"))["key-chat"] == 1

    def test_a_cost_of_its_own_replaces_what_it_would_take(
        self, caller: Client, service: Client
    ) -> None:
        question = {
            "key": caller.headers["X-API-Key"],
            "cost": 3,
            "use": {"tokens": 7},
            "limits": [
                {"name": "chat", "cost": 2},
                {"name": "chat-tokens", "cost": 50},
                {"name": "always", "cost": 0},
                {"name": "unknown", "cost": 10**12},
            ],
        }
        verdict = ok(service.post("/api/v1/keys/verify", question))
        assert verdict["valid"] is True
        told = {name: one["r"] for name, one in items(verdict["headers"]["RateLimit"]).items()}
        assert told == {
            **{"minute": 59, "month": 997},
            **{"key-always": 5, "key-chat": 0, "key-chat-tokens": 50},
        }
        question["limits"] = [{"name": "chat"}]
        refused = ok(service.post("/api/v1/keys/verify", question))
        assert (refused["valid"], refused["status"]) == (False, 429)
        assert refused["details"]["limit"] == "requests_per_minute"


class TestHeaders:
    def test_each_limit_has_its_name_size_window_and_unit(
        self, make_app: Callable[..., Flask], clock: time_machine.Traveller
    ) -> None:
        policy = metered("day = 50, '10s' = 9", "tokens = { month = 700, total = 900 }")
        member = Client(make_app(policy=policy)).sign_up()
        caller = key_with(
            member,
            limit("requests", "minute", 10),
            limit("requests", "250ms", 4),
            limit("requests", "hour", 99, name="An.hour"),
            limit("tokens", "total", 500),
            limit("pages", "day", 10**12),
        )
        response = authorize(caller, "use=tokens:1")
        assert items(response.headers["RateLimit-Policy"]) == {
            "minute": {"q": 60, "w": 60},
            "month": {"q": 1000, "w": 28 * DAY},
            "day": {"q": 50, "w": DAY},
            "10s": {"q": 9, "w": 10},
            "tokens-month": {"q": 700, "w": 28 * DAY, "qu": "tokens"},
            "tokens-total": {"q": 900, "qu": "tokens"},
            "key-minute": {"q": 10, "w": 60},
            "key-250ms": {"q": 4, "w": 1},
            "key-An.hour": {"q": 99, "w": 3600},
            "key-tokens-total": {"q": 500, "qu": "tokens"},
            "key-pages-day": {"q": 10**12, "w": DAY, "qu": "pages"},
        }
        assert items(response.headers["RateLimit"]) == {
            "minute": {"r": 59, "t": 60},
            "month": {"r": 999, "t": NOON_TO_MONTH_END},
            "day": {"r": 49, "t": DAY // 2},
            "10s": {"r": 8, "t": 10},
            "tokens-month": {"r": 699, "t": NOON_TO_MONTH_END},
            "tokens-total": {"r": 899},
            "key-minute": {"r": 9, "t": 60},
            "key-250ms": {"r": 3, "t": 1},
            "key-An.hour": {"r": 98, "t": 3600},
            "key-tokens-total": {"r": 499},
            "key-pages-day": {"r": 10**12, "t": DAY // 2},
        }
        clock.shift(4.2)
        told = items(caller.get("/api/v1/me").headers["RateLimit"])
        assert (told["10s"], told["key-minute"]) == ({"r": 8, "t": 6}, {"r": 9, "t": 56})

    def test_twenty_limits_fit_into_a_gateways_buffers(
        self, make_app: Callable[..., Flask]
    ) -> None:
        sizes = ", ".join(f"'{second}s' = 1000000000000" for second in range(2592000, 2591992, -1))
        member = Client(make_app(policy=metered(sizes))).sign_up()
        names = [f"{letter * 50}" for letter in "abcdefghij"]
        caller = key_with(member, *(limit("tokens", "month", 10**12, name=name) for name in names))
        response = authorize(caller)
        assert len(items(response.headers["RateLimit"])) == 20
        assert sum(len(name) + len(value) for name, value in response.headers) < 4096


class TestWhoRefuses:
    """Of several that refuse, the one that opens last; a total last of all."""

    @for_each(
        ("limits", "query", "told"),
        [
            # The account's own are 60 requests a minute and 1,000 a month.
            ([("requests", "10s", 0)], "cost=1001", "requests_per_month account"),
            ([("tokens", "10s", 5), ("tokens", "hour", 5)], "use=tokens:4", "tokens_per_hour key"),
            (
                [("tokens", "month", 5), ("tokens", "day", 5)],
                "use=tokens:4",
                "tokens_per_month key",
            ),
            ([("tokens", "total", 5), ("tokens", "month", 5)], "use=tokens:4", "tokens_total key"),
            ([("tokens", "total", 5), ("tokens", "month", 5)], "use=tokens:6", "tokens_total key"),
            # What is more than a whole size never opens, so it opens last.
            ([("tokens", "10s", 3), ("tokens", "day", 5)], "use=tokens:4", "tokens_per_10s key"),
        ],
    )
    def test_the_one_that_opens_last(
        self, member: Member, limits: list[tuple[str, str, int]], query: str, told: str
    ) -> None:
        caller = key_with(member, *(limit(*one) for one in limits))
        authorize(caller, "use=tokens:3")
        details = authorize(caller, query).get_json()["error"]["details"]
        assert f"{details['limit']} {details['of']}" == told

    def test_the_accounts_before_the_keys_where_they_open_together(
        self, make_app: Callable[..., Flask], clock: time_machine.Traveller
    ) -> None:
        member = Client(make_app(policy=metered("day = 3", "tokens = { total = 9 }"))).sign_up()
        caller = key_with(
            member, limit("requests", "day", 3), limit("tokens", "total", 9, name="mine")
        )
        assert authorize(caller, "cost=3&use=tokens:9").status_code == 200
        details = error(authorize(caller), 429, "USAGE_LIMIT_EXCEEDED")
        assert (details["limit"], details["of"]) == ("requests_per_day", "account")
        details = error(authorize(caller, "use=tokens:1"), 429, "USAGE_LIMIT_EXCEEDED")
        assert (details["limit"], details["of"]) == ("tokens_total", "account")

    def test_what_is_refused_is_counted_nowhere(self, member: Member) -> None:
        """S23: whichever of all limits refuses."""
        caller = key_with(member, limit("requests", "day", 5), limit("tokens", "hour", 10))
        before = left(authorize(caller, "use=tokens:9&use=pages:1"))
        for query in ("use=tokens:2", "cost=5", "use=tokens:1&cost=9", "reserve=tokens:5"):
            refused = authorize(caller, query)
            assert refused.status_code == 429
            assert left(refused) == before


class TestRefusals:
    @for_each(
        ("given", "query", "code", "details", "wait", "message"),
        [
            (
                limit("requests", "minute", 1),
                "",
                "RATE_LIMIT_EXCEEDED",
                {"limit": "requests_per_minute", "resets_at": "2027-02-10T12:01:00Z"},
                "60",
                "This key's own limit of 1 requests a minute is used up",
            ),
            (
                limit("tokens", "hour", 1_500),
                "use=tokens:1200",
                "RATE_LIMIT_EXCEEDED",
                {"limit": "tokens_per_hour", "resets_at": "2027-02-10T13:00:00Z"},
                "3600",
                "This takes 1,200 tokens: this key's own limit of 1,500 tokens an hour"
                " has 300 left",
            ),
            (
                limit("requests", "3601s", 1),
                "",
                "USAGE_LIMIT_EXCEEDED",
                {"limit": "requests_per_3601s", "resets_at": "2027-02-10T13:00:01Z"},
                "3601",
                "This key's own limit of 1 requests in 3601s is used up",
            ),
            (
                limit("requests", "250ms", 1),
                "",
                "RATE_LIMIT_EXCEEDED",
                {"limit": "requests_per_250ms", "resets_at": "2027-02-10T12:00:01Z"},
                "1",
                "This key's own limit of 1 requests in 250ms is used up",
            ),
            (
                limit("requests", "day", 2),
                "cost=2",
                "USAGE_LIMIT_EXCEEDED",
                {"limit": "requests_per_day", "resets_at": "2027-02-11T00:00:00Z"},
                "43200",
                "This key's own limit of 2 requests a day is used up",
            ),
            (
                limit("pages", "month", 2),
                "use=pages:2",
                "USAGE_LIMIT_EXCEEDED",
                {"limit": "pages_per_month", "resets_at": "2027-03-01T00:00:00Z"},
                str(NOON_TO_MONTH_END),
                "This key's own limit of 2 pages a month is used up",
            ),
            (
                limit("pages", "total", 2, name="trial-run"),
                "use=pages:2",
                "USAGE_LIMIT_EXCEEDED",
                {"limit": "pages_total"},
                None,
                'This key\'s own limit "trial-run" of 2 pages in all is used up',
            ),
        ],
    )
    def test_the_limit_is_named_and_when_it_opens(
        self,
        member: Member,
        given: dict[str, object],
        query: str,
        code: str,
        details: dict[str, object],
        wait: str | None,
        message: str,
    ) -> None:
        caller = key_with(member, given)
        assert authorize(caller, query).status_code == 200
        response = authorize(caller, query)
        assert error(response, 429, code) == {
            **details,
            "meter": given["meter"],
            "window": given["window"],
            "of": "key",
            "size": given["size"],
        }
        assert response.headers.get("Retry-After") == wait
        assert response.get_json()["error"]["message"] == message
        disguised = authorize(caller, f"{query}&on_limit=403")
        error(disguised, 403, code)
        assert disguised.headers["X-Ragauth-Status"] == "429"

    def test_what_never_fits_names_no_time(self, member: Member) -> None:
        caller = key_with(member, limit("tokens", "hour", 10), limit("requests", "month", 5))
        response = authorize(caller, "use=tokens:11")
        assert "resets_at" not in error(response, 429, "RATE_LIMIT_EXCEEDED")
        assert "Retry-After" not in response.headers
        assert response.get_json()["error"]["message"] == (
            "This takes 11 tokens: this key's own limit of 10 tokens an hour has 10 left"
        )
        for query, size in (("cost=6", 5), ("cost=1001", 1000)):
            response = authorize(member.key_client if size == 1000 else caller, query)
            details = error(response, 429, "USAGE_LIMIT_EXCEEDED")
            assert (details["size"], "resets_at" in details) == (size, False)
            assert "Retry-After" not in response.headers


def test_a_plan_without_a_minute_and_a_month_has_the_others(
    make_app: Callable[..., Flask],
) -> None:
    member = Client(make_app(policy=metered())).sign_up()
    set_plan(member, "free")
    assert "RateLimit" not in authorize(member.key_client, "cost=10000").headers
    caller = key_with(member, limit("requests", "total", 10_001))
    assert left(authorize(caller, "cost=10000")) == {"key-total": 1}
    assert ok(caller.get("/api/v1/me"))["limits"] == {
        "requests_per_minute": None,
        "requests_per_month": None,
    }


def test_redis_counts_as_the_file_does(make_app: Callable[..., Flask]) -> None:
    policy = metered("day = 6", "tokens = { '30s' = 1000, month = 5000 }")
    with start_redis() as server:
        member = Client(make_app(policy=policy, redis_url=server.url)).sign_up()
        caller = key_with(
            member,
            limit("requests", "hour", 4, name="slow", applies="named"),
            limit("tokens", "total", 2500),
        )
        told = left(authorize(caller, "cost=2&use=tokens:900&limit=slow"))
        assert told == {
            **{"minute": 59, "month": 998, "day": 4, "tokens-30s": 100, "tokens-month": 4100},
            **{"key-slow": 3, "key-tokens-total": 1600},
        }
        refused = authorize(caller, "use=tokens:101")
        assert error(refused, 429, "RATE_LIMIT_EXCEEDED")["limit"] == "tokens_per_30s"
        assert {**told} == {**left(authorize(caller, "cost=7&limit=slow"))}
        other_host = Client(make_app(policy=policy, redis_url=server.url))
        answer = authorize(other_host.as_key(caller.headers["X-API-Key"]), "cost=4&use=tokens:100")
        assert left(answer)["day"] == 0
