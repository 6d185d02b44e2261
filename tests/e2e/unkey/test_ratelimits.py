"""Unkey's official clients ask rate limits that belong to no key."""

import time
from typing import Any
from uuid import uuid4

from tests.e2e.unkey.conftest import Vendor

MINUTE = 60_000
THIRTY_DAYS = 30 * 86_400_000


def question(**changes: Any) -> dict[str, Any]:
    """Of an identifier that nobody has asked for."""
    usual = {"namespace": "mail", "identifier": f"u/{uuid4()}", "limit": 3, "duration": MINUTE}
    return {**usual, **changes}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_what_does_not_fit_is_refused_and_not_counted(vendor: Vendor) -> None:
    asked = question()
    for cost, success, remaining in [(2, True, 1), (2, False, 1), (1, True, 0), (1, False, 0)]:
        told = vendor.data("ratelimit.limit", **asked, cost=cost)
        assert (told["success"], told["remaining"], told["limit"]) == (success, remaining, 3)
        assert 0 < told["reset"] - now_ms() <= MINUTE
        assert set(told) == {"limit", "remaining", "reset", "success"}
    assert vendor.data("ratelimit.limit", **asked, cost=0)["success"] is True
    assert vendor.data("ratelimit.limit", **question(limit=1))["success"] is True


def test_each_namespace_and_duration_is_its_own(vendor: Vendor) -> None:
    asked = question(limit=1)
    for other in (asked, {**asked, "namespace": "sms"}, {**asked, "duration": THIRTY_DAYS}):
        assert vendor.data("ratelimit.limit", **other)["success"] is True
    assert vendor.data("ratelimit.limit", **asked)["success"] is False


def test_a_short_one_opens_again(vendor: Vendor) -> None:
    asked = question(limit=1, duration=100)
    told = vendor.data("ratelimit.limit", **asked)
    while now_ms() <= told["reset"]:
        time.sleep(0.01)
    assert vendor.data("ratelimit.limit", **asked)["success"] is True


def test_several_are_asked_at_once_each_for_itself(vendor: Vendor) -> None:
    small, large = question(limit=1), question(limit=5, namespace="sms")
    for passed in (True, False):
        told = vendor.ask_list("ratelimit.multiLimit", [small, {**large, "cost": 2}]).body["data"]
        assert told["passed"] is passed
        assert [each["passed"] for each in told["limits"]] == [passed, True]
    assert [each["remaining"] for each in told["limits"]] == [0, 1]
    assert [(each["namespace"], each["identifier"]) for each in told["limits"]] == [
        (each["namespace"], each["identifier"]) for each in (small, large)
    ]


def test_what_cannot_be_asked_is_400(vendor: Vendor) -> None:
    for field, value in [("duration", 99), ("duration", THIRTY_DAYS + 1), ("limit", 0)]:
        refused = vendor.refused("ratelimit.limit", **question(**{field: value}))
        assert (refused.error, refused.status) == ("BadRequestErrorResponse", 400)
        [fault] = refused.body["error"]["errors"]
        assert fault["location"] == f"body.{field}"
    refused = vendor.ask_list("ratelimit.multiLimit", [question(), question(limit=0)])
    assert refused.error == "BadRequestErrorResponse"
    [fault] = refused.body["error"]["errors"]
    assert fault["location"] == "body[1].limit"
    assert vendor.ask_list("ratelimit.multiLimit", []).error == "BadRequestErrorResponse"
    refused = vendor.refused(
        "ratelimit.setOverride", namespace="a", identifier="b", limit=1, duration=1_000
    )
    assert (refused.error, refused.status) == ("BadRequestErrorResponse", 400)
