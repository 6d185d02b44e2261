"""GET /api/auth/limits: what a dashboard holds the usage against."""

from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask

from tests.clients import Client, error, ok
from tests.factories.accounts import set_plan

PATH = "/api/auth/limits"
MAY = datetime(2027, 5, 31, 23, 59, 50, tzinfo=UTC)


def test_it_names_the_plan_and_what_it_allows(client: Client) -> None:
    member = client.sign_up()
    limits = ok(member.client.get(PATH))
    del limits["usage"], limits["quotas"]
    assert limits == {
        "plan": "trial",
        "requests_per_minute": 60,
        "requests_per_month": 1_000,
        "max_keys": 5,
        "max_agents": 2,
        "limit_mails": True,
    }


@pytest.mark.both_databases
def test_another_plan_counts_at_once(client: Client) -> None:
    member = client.sign_up()
    set_plan(member, "pro")
    assert ok(member.client.get(PATH))["requests_per_month"] == 1_000_000


def test_live_and_test_are_counted_apart_until_the_month_ends(app: Flask) -> None:
    with time_machine.travel(MAY, tick=False) as traveller:
        member = Client(app).sign_up()
        test_key = member.create_key(environment="test")["api_key"]
        for key, cost in ((member.api_key, 7), (test_key, 2)):
            answer = Client(app).as_key(key).get(f"/api/v1/authorize?cost={cost}")
            assert answer.status_code == 200
        resets_at = "2027-06-01T00:00:00Z"
        assert ok(member.client.get(PATH))["usage"] == {
            "live": {"this_month": 7, "remaining": 993, "resets_at": resets_at},
            "test": {"this_month": 2, "remaining": 998, "resets_at": resets_at},
        }
        traveller.shift(20)
        assert ok(member.client.get(PATH))["usage"]["live"] == {
            "this_month": 0,
            "remaining": 1_000,
            "resets_at": "2027-07-01T00:00:00Z",
        }


def test_it_asks_for_a_token(client: Client) -> None:
    error(client.get(PATH), 401, "AUTHENTICATION_ERROR", reason="missing")
