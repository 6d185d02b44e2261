"""The plan's requests a month: calendar months in UTC, in units of cost."""

from collections.abc import Callable
from datetime import UTC, datetime

import time_machine
from flask import Flask

from ragauth.security.identifiers import ACCOUNT, decode_id
from ragauth.services.limits import usage
from ragauth.services.limits.limits import current_limits
from tests.clients import Client, error, ok

NEARLY_MARCH = datetime(2027, 2, 28, 23, 59, 30, tzinfo=UTC)


def test_exactly_the_plans_units_pass_and_the_refusal_says_when_the_month_ends(
    client: Client,
) -> None:
    with time_machine.travel(NEARLY_MARCH, tick=False):
        caller = client.sign_up().key_client
        assert caller.get("/api/v1/authorize?cost=999").status_code == 200
        assert caller.get("/api/v1/authorize?cost=2").status_code == 429
        assert caller.get("/api/v1/authorize?cost=1").status_code == 200
        response = caller.get("/api/v1/authorize")
        assert error(response, 429, "USAGE_LIMIT_EXCEEDED") == {
            "limit": "requests_per_month",
            "meter": "requests",
            "window": "month",
            "of": "account",
            "size": 1000,
            "resets_at": "2027-03-01T00:00:00Z",
        }
        assert response.headers["Retry-After"] == "30"
        # What costs nothing still passes.
        assert caller.get("/api/v1/authorize?cost=0").status_code == 200


def test_a_month_begins_anew_at_midnight_utc(client: Client) -> None:
    with time_machine.travel(NEARLY_MARCH, tick=False) as traveller:
        caller = client.sign_up().key_client
        assert caller.get("/api/v1/authorize?cost=1000").status_code == 200
        traveller.shift(29.999)
        assert caller.get("/api/v1/authorize").status_code == 429
        traveller.shift(0.001)
        response = caller.get("/api/v1/authorize")
        assert response.status_code == 200
        assert f'"month";r=999;t={31 * 86_400}' in response.headers["RateLimit"]
        assert f'"month";q=1000;w={31 * 86_400}' in response.headers["RateLimit-Policy"]


def test_a_month_that_the_counters_forgot_goes_on_with_what_is_not_saved_yet(
    client: Client,
) -> None:
    member = client.sign_up()
    with client.app.app_context():
        counters = current_limits().counters
        assert member.key_client.get("/api/v1/authorize?cost=100").status_code == 200
        usage.save_usage(counters)
        assert member.key_client.get("/api/v1/authorize?cost=200").status_code == 200
        counters.forget_account(decode_id(ACCOUNT, member.id).bytes)
    assert ok(member.key_client.get("/api/v1/me"))["usage"]["this_month"] == 300
    assert member.key_client.get("/api/v1/authorize?cost=701").status_code == 429
    assert member.key_client.get("/api/v1/authorize?cost=700").status_code == 200


def test_a_host_that_lost_its_counters_goes_on_from_what_the_database_knows(
    client: Client, make_app: Callable[..., Flask]
) -> None:
    member = client.sign_up()
    assert member.key_client.get("/api/v1/authorize?cost=600").status_code == 200
    with client.app.app_context():
        usage.save_usage(current_limits().counters)
    other_host = Client(make_app()).as_key(member.api_key)
    assert ok(other_host.get("/api/v1/me"))["usage"]["this_month"] == 600
    assert other_host.get("/api/v1/authorize?cost=401").status_code == 429
    assert other_host.get("/api/v1/authorize?cost=400").status_code == 200
