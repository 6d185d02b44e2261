"""Limits that operators set on an account: they replace the plan's."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.api.metering.asking import authorize, key_with, left, limit
from tests.cases import for_each
from tests.clients import Client, Member, error, issues, ok
from tests.factories.accounts import set_plan
from tests.factories.api_keys import make_service_key
from tests.factories.policies import metered


@pytest.fixture
def member(share_app: Callable[..., Flask]) -> Member:
    return Client(share_app(policy=metered(others="tokens = { day = 100 }"))).sign_up()


@pytest.fixture
def operator(member: Member) -> Client:
    return Client(member.client.app).as_key(make_service_key(member.client.app, "accounts"))


def set_limits(operator: Client, member: Member, limits: Any) -> Any:
    return operator.patch(f"/api/v1/internal/accounts/{member.id}", {"limits": limits})


class TestSucceeds:
    def test_they_replace_the_plans_of_the_same_meter_and_window(
        self, member: Member, operator: Client
    ) -> None:
        limits = [
            limit("requests", "60s", 5),
            limit("requests", "month", None),
            limit("tokens", "day", 7),
            limit("tokens", "total", 50),
        ]
        told = ok(set_limits(operator, member, limits))["limits"]
        assert told == [limit("requests", "minute", 5), *limits[1:]]
        path = f"/api/v1/internal/accounts/{member.id}"
        assert ok(operator.get(path))["limits"] == told
        assert left(authorize(member.key_client, "use=tokens:1")) == {
            "minute": 4,
            "tokens-day": 6,
            "tokens-total": 49,
        }
        details = error(authorize(member.key_client, "use=tokens:7"), 429, "USAGE_LIMIT_EXCEEDED")
        assert (details["limit"], details["of"]) == ("tokens_per_day", "account")
        me = ok(member.key_client.get("/api/v1/me"))["limits"]
        assert me == {"requests_per_minute": 5, "requests_per_month": None}
        mine = ok(member.client.get("/api/auth/limits"))
        assert (mine["requests_per_minute"], mine["requests_per_month"]) == (5, None)

    def test_null_lets_the_plans_hold_again_and_keeps_what_was_counted(
        self, member: Member, operator: Client
    ) -> None:
        authorize(member.key_client, "use=tokens:30")
        ok(set_limits(operator, member, [limit("tokens", "day", 10)]))
        assert authorize(member.key_client).status_code == 429
        assert ok(set_limits(operator, member, None))["limits"] is None
        assert left(authorize(member.key_client))["tokens-day"] == 70

    def test_they_outlive_a_change_of_plan(self, member: Member, operator: Client) -> None:
        ok(set_limits(operator, member, [limit("requests", "minute", 7)]))
        set_plan(member, "free")
        assert left(authorize(member.key_client)) == {"minute": 6}

    @pytest.mark.both_databases
    def test_keys_keep_their_own_on_top(self, member: Member, operator: Client) -> None:
        ok(set_limits(operator, member, [limit("requests", "hour", 9)]))
        told = left(authorize(key_with(member, limit("requests", "hour", 3))))
        assert (told["hour"], told["key-hour"]) == (8, 2)

    def test_another_account_is_not_touched(self, member: Member, operator: Client) -> None:
        ok(set_limits(operator, member, [limit("requests", "minute", 0)]))
        stranger = Client(member.client.app).sign_up()
        assert authorize(stranger.key_client).status_code == 200
        assert authorize(member.key_client).status_code == 429

    def test_the_history_names_the_field_once(self, member: Member, operator: Client) -> None:
        for _ in range(2):
            ok(set_limits(operator, member, [limit("requests", "minute", 5)]))
        events = ok(member.client.get("/api/auth/events"))
        assert [event["name"] for event in events].count("account:limits_changed") == 1
        assert events[0]["details"] == {"fields": ["limits"]}


class TestRejectsInput:
    @for_each(
        ("limits", "faults"),
        [
            ({}, {(): "Not a list"}),
            ([{}], {(0, name): "Required" for name in ("meter", "window", "size")}),
            (
                [
                    limit("gold", "year", -1),
                    limit("requests", "minute", 1, name="x", applies="always"),
                ],
                {
                    (0, "meter"): "There is no such meter; there are: requests, tokens, pages",
                    (0, "window"): (
                        "Must be minute, hour, day, month, total, or a length from 100ms to"
                        " 30 days, such as 10s or 250ms"
                    ),
                    (0, "size"): "Must be between 0 and 1000000000000",
                    (1, "name"): "Unknown field",
                    (1, "applies"): "Unknown field",
                },
            ),
            (
                [limit("requests", "minute", 1), limit("requests", "60000ms", None)],
                {(1, "window"): "There is a limit of this meter and window already"},
            ),
            (
                [limit("requests", f"{second}s", 1) for second in range(1, 12)],
                {(): "Must have at most 10 entries"},
            ),
        ],
    )
    def test_each_fault_is_told_with_its_place(
        self,
        member: Member,
        operator: Client,
        limits: Any,
        faults: dict[tuple[str | int, ...], str],
    ) -> None:
        answer = set_limits(operator, member, limits)
        assert issues(answer) == {("limits", *path): message for path, message in faults.items()}

    def test_an_owner_cannot_set_them(self, member: Member) -> None:
        answer = member.client.patch("/api/auth/me", {"limits": []})
        assert issues(answer) == {("limits",): "Unknown field"}
        assert "limits" not in ok(member.client.get("/api/auth/me"))
