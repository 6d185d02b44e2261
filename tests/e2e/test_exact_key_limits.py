"""Limits of keys and meters are exact for all workers at once: checks, reports, settlements."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service, User, at_once, while_redis_answers
from tests.servers.redis import start_redis

AT_ONCE = 50
TOLD_AT_ONCE = 20
POLICY = """
[meters.tokens]
description = "Tokens in and out"
[plans.trial]
max_keys = 20
max_agents = 2
limits = { requests = { minute = 1_000_000 }, tokens = { day = 4_000 } }
"""


@pytest.fixture(scope="module")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text(POLICY)
    return path


@pytest.fixture(scope="module", params=["sqlite and lmdb", "postgres and redis"])
def service(
    request: pytest.FixtureRequest, new_installation: NewInstallation, policy_file: Path
) -> Iterator[Service]:
    """Four workers."""
    database, _, counters = request.param.split()
    installation = new_installation(database)
    settings = {"RAGAUTH_POLICY_FILE": str(policy_file)}
    with ExitStack() as stack:
        if counters == "redis":
            settings["RAGAUTH_REDIS_URL"] = stack.enter_context(start_redis()).url
        yield stack.enter_context(installation.serve(workers=4, **settings))


def statuses(service: Service, key: str, query: str = "") -> Counter[int]:
    """The answers to 50 checks that begin at the same instant."""

    def ask() -> int:
        return service.get(f"/api/v1/authorize{query}", key)

    return Counter(at_once([ask] * AT_ONCE))


def post_at_once(service: Service, path: str, key: str, body: Any) -> list[Any]:
    def tell() -> httpx.Response:
        return service.client.post(path, json=body, headers={"X-API-Key": key})

    answers = at_once([tell] * TOLD_AT_ONCE)
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json()["data"] for answer in answers]


def service_key(service: Service) -> str:
    printed = service.installation.command(
        *("service-keys", "create", "--name", "gateway", "--scope", "verify", "--json")
    )
    key: str = json.loads(printed)["api_key"]
    return key


def limited(user: User, *limits: tuple[str, str, int]) -> tuple[str, str]:
    named = [{"meter": meter, "window": window, "size": size} for meter, window, size in limits]
    return user.create_key(limits=named)


def left(service: Service, key: str) -> dict[str, int]:
    answer = service.client.get("/api/v1/me", headers={"X-API-Key": key}).json()["data"]
    return {
        f"{quota['of']} {quota['meter']} {quota['window']}": quota["remaining"]
        for quota in answer["quotas"]
    }


def test_of_50_at_once_no_more_get_through_than_fit(service: Service) -> None:
    """S23, S49: for all workers together, whichever limit it is."""
    while_redis_answers([service], lambda: no_more_get_through_than_fit(service))


def no_more_get_through_than_fit(service: Service) -> None:
    user = service.sign_up()
    _, key = limited(user, ("requests", "total", 20), ("requests", "hour", 40))
    assert statuses(service, key) == {200: 20, 429: 30}
    assert left(service, key)["key requests hour"] == 20
    _, key = limited(user, ("tokens", "total", 1_000), ("tokens", "10s", 10**9))
    assert statuses(service, key, "?use=tokens:100") == {200: 10, 429: 40}
    # The account's own is shared by all its keys: 3,000 are left.
    _, key = limited(user)
    assert statuses(service, key, "?use=tokens:100") == {200: 30, 429: 20}
    assert left(service, key)["account tokens day"] == 0

    # A limit that is new begins with what is known, in whichever worker is asked first.
    user = service.sign_up()
    key_id, key = limited(user)
    assert statuses(service, key) == {200: 50}
    limits = [{"meter": "requests", "window": "total", "size": 65}]
    user.data("PATCH", f"/api/auth/api-keys/{key_id}", json={"limits": limits})
    assert statuses(service, key) == {200: 15, 429: 35}

    # A rotated key and its successor count together.
    made = user.data("POST", f"/api/auth/api-keys/{key_id}/rotate", json={"grace_seconds": 600})
    limits[0]["size"] = 75
    for each in (key_id, made["id"]):
        user.data("PATCH", f"/api/auth/api-keys/{each}", json={"limits": limits})
    pair = [key, made["api_key"]] * (AT_ONCE // 2)
    answers = at_once([lambda one=one: service.authorize(one) for one in pair])
    assert Counter(answers) == {200: 10, 429: 40}


def test_an_event_and_a_settlement_count_once(service: Service) -> None:
    """S49"""
    while_redis_answers([service], lambda: they_count_once(service))


def they_count_once(service: Service) -> None:
    user, asker = service.sign_up(), service_key(service)
    key_id, key = limited(user, ("tokens", "total", 1_000))
    event = {"id": "job-1", "key_id": key_id, "use": {"tokens": 100}}
    told = post_at_once(service, "/api/v1/usage/report", asker, {"events": [event]})
    assert sum(one["accepted"] for one in told) == 1
    assert sum(one["known"] for one in told) == TOLD_AT_ONCE - 1
    assert left(service, key)["key tokens total"] == 900

    answer = service.client.get("/api/v1/authorize?reserve=tokens:500", headers={"X-API-Key": key})
    reservation_id = answer.headers["X-Ragauth-Reservation"]
    body = {"reservation_id": reservation_id, "use": {"tokens": 20}}
    told = post_at_once(service, "/api/v1/usage/settle", asker, body)
    settled = {"used": {"tokens": 20}, "released": {"tokens": 480}}
    assert told == [{"reservation_id": reservation_id, **settled}] * TOLD_AT_ONCE
    assert left(service, key)["key tokens total"] == 880

    # A report may have 256 KiB, in one piece or in chunks; any other body 64.
    whole = json.dumps({"events": [event]}).encode()
    headers = {"X-API-Key": asker, "Content-Type": "application/json"}
    for path, size, status in (
        ("/api/v1/usage/report", 256 * 1024, 200),
        ("/api/v1/usage/report", 256 * 1024 + 1, 413),
        ("/api/v1/usage/settle", 64 * 1024 + 1, 413),
    ):
        data = whole.ljust(size)
        for content in (data, iter([data])):
            answer = service.client.post(path, content=content, headers=headers)
            assert answer.status_code == status, answer.text
