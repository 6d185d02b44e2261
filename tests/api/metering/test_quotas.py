"""`quotas` of GET /api/v1/me and GET /api/auth/limits: every limit that applies."""

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask

from tests.api.metering.asking import authorize, key_with, limit
from tests.clients import Client, Member, ok
from tests.factories.accounts import set_plan
from tests.factories.api_keys import make_service_key
from tests.factories.policies import metered

MIDNIGHT, MARCH = "2027-02-11T00:00:00Z", "2027-03-01T00:00:00Z"


@pytest.fixture
def member(share_app: Callable[..., Flask], clock: time_machine.Traveller) -> Member:
    policy = metered("day = 50", "tokens = { '10s' = 20, total = 900 }")
    return Client(share_app(policy=policy)).sign_up()


def quota(meter: str, window: str, size: int, used: int, **further: Any) -> dict[str, Any]:
    return {
        **{"meter": meter, "window": window, "name": None, "of": "account"},
        **{"environment": "live", "size": size, "used": used},
        **{"remaining": max(0, size - used), "resets_at": None},
        **further,
    }


def test_a_key_sees_the_accounts_and_its_own(member: Member) -> None:
    caller = key_with(
        member,
        limit("tokens", "month", 5),
        limit("requests", "minute", 9, name="chat", applies="named"),
    )
    authorize(member.key_client, "cost=3&use=tokens:7")
    authorize(caller, "cost=2&use=tokens:4&limit=chat")
    of_account = [
        quota("requests", "minute", 60, 2, resets_at="2027-02-10T12:01:00Z"),
        quota("requests", "month", 1000, 5, resets_at=MARCH),
        quota("requests", "day", 50, 5, resets_at=MIDNIGHT),
        quota("tokens", "10s", 20, 11, resets_at="2027-02-10T12:00:10Z"),
        quota("tokens", "total", 900, 11),
    ]
    assert ok(caller.get("/api/v1/me"))["quotas"] == [
        *of_account,
        quota("tokens", "month", 5, 4, of="key", resets_at=MARCH),
        quota(
            "requests",
            "minute",
            9,
            1,
            of="key",
            name="chat",
            resets_at="2027-02-10T12:01:00Z",
        ),
    ]
    assert ok(member.key_client.get("/api/v1/me"))["quotas"] == of_account
    mine = ok(member.client.get("/api/auth/limits"))["quotas"]
    assert mine[:5] == of_account
    assert [one["environment"] for one in mine] == ["live"] * 5 + ["test"] * 5
    assert {one["used"] for one in mine[5:]} == {0}


def test_a_test_key_sees_its_own_environment(member: Member) -> None:
    caller = key_with(member, environment="test")
    authorize(caller, "use=tokens:3")
    quotas = ok(caller.get("/api/v1/me"))["quotas"]
    assert {one["environment"] for one in quotas} == {"test"}
    assert quotas[-1] == quota("tokens", "total", 900, 3, environment="test")


def test_a_plan_without_limits_has_none(member: Member) -> None:
    set_plan(member, "free")
    assert ok(member.key_client.get("/api/v1/me"))["quotas"] == []
    told = ok(member.client.get("/api/auth/limits"))
    assert (told["quotas"], told["requests_per_minute"], told["requests_per_month"]) == (
        [],
        None,
        None,
    )


def test_a_services_own_key_has_none(member: Member) -> None:
    service = Client(member.client.app).as_key(make_service_key(member.client.app, "verify"))
    assert ok(service.get("/api/v1/me"))["quotas"] is None


def test_a_window_is_over_when_they_say_so(member: Member, clock: time_machine.Traveller) -> None:
    clock.shift(0.4)
    authorize(member.key_client, "use=tokens:20")
    refused = authorize(member.key_client, "use=tokens:20").get_json()["error"]["details"]
    told = {
        (one["meter"], one["window"]): one["resets_at"]
        for one in ok(member.key_client.get("/api/v1/me"))["quotas"]
    }
    assert told["tokens", "10s"] == refused["resets_at"] == "2027-02-10T12:00:11Z"
    assert told["requests", "minute"] == "2027-02-10T12:01:01Z"
