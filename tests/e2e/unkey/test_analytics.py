"""Unkey's official clients ask what keys were used for."""
# ruff: noqa: S608 - no database reads these queries

import time
from uuid import uuid4

import pytest

from tests.e2e.unkey.conftest import Vendor

_VALID = "outcome = 'VALID'"


def today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def test_sums_and_rows_are_told(vendor: Vendor) -> None:
    external_id, api_id = f"user-{uuid4()}", vendor.new_api()
    first_id, first = vendor.new_key(api_id, externalId=external_id)
    second_id, second = vendor.new_key(api_id, externalId=external_id)
    begun = today()
    for key, cost in ((first, 2), (first, 1), (second, 5)):
        vendor.verify(key, credits={"cost": cost})
    vendor.verify(second, permissions="nothing")
    if begun != today():
        pytest.skip("the day has changed meanwhile")

    def ask(query: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = vendor.data("analytics.getVerifications", query=query)
        return rows

    of_identity = f"WHERE {_VALID} AND external_id = '{external_id}'"
    assert ask(
        "SELECT time, SUM(count) AS total, sum(spent_credits) FROM key_verifications_per_day_v1 "
        f"{of_identity} AND time >= now() - INTERVAL 7 DAY GROUP BY time ORDER BY time DESC"
    ) == [{"time": begun, "total": 3, "sum(spent_credits)": 8}]
    assert ask(
        "SELECT key_id, SUM(count) AS total FROM key_verifications_per_month_v1 "
        f"{of_identity} GROUP BY key_id ORDER BY total DESC LIMIT 1"
    ) == [{"key_id": first_id, "total": 2}]
    verdict = vendor.verify(second, credits={"cost": 0})
    assert ask(
        "select time, key_id, outcome, count from key_verifications_per_month_v1 where "
        f"{_VALID} and key_id = '{second_id}';"
    ) == [{"time": f"{begun[:7]}-01", "key_id": second_id, "outcome": "VALID", "count": 2}]
    if "keyspaceId" in verdict:
        assert ask(
            "SELECT SUM(count) AS n FROM key_verifications_per_day_v1 WHERE "
            f"{_VALID} AND key_space_id = '{verdict['keyspaceId']}' AND time = today()"
        ) == [{"n": 4}]
    assert ask(
        f"SELECT SUM(count) AS n FROM key_verifications_per_day_v1 {of_identity} "
        "AND time < yesterday()"
    ) == [{"n": 0}]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT time, SUM(count) FROM key_verifications_per_day_v1 GROUP BY time",
        f"SELECT COUNT(*) FROM key_verifications_v1 WHERE {_VALID}",
        "SELECT outcome, SUM(count) FROM key_verifications_per_day_v1 WHERE outcome = 'DISABLED' "
        "GROUP BY outcome",
        f"SELECT * FROM key_verifications_per_day_v1 WHERE {_VALID}",
        "DROP TABLE keys",
    ],
)
def test_what_rows_of_usage_do_not_tell_is_400(vendor: Vendor, query: str) -> None:
    refused = vendor.refused("analytics.getVerifications", query=query)
    assert (refused.error, refused.status) == ("BadRequestErrorResponse", 400)
    [fault] = refused.body["error"]["errors"]
    assert fault["location"] == "body.query"
