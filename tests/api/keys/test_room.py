"""The plan's number of keys: whatever makes a key count needs room, and nothing else does."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from ragauth.security.identifiers import AGENT, decode_id
from tests.clients import Client, Member, error, ok
from tests.factories.accounts import set_plan

TRIAL_KEYS = 5
KEYS = "/api/auth/api-keys"
REGENERATE = "/api/auth/api-key/regenerate"
NOON = "2027-01-01T12:00:00Z"
SOON = "2027-01-01T12:00:10Z"
LATER = "2027-01-01T13:00:00Z"


@pytest.fixture
def clock() -> time_machine.Traveller:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def member(client: Client, clock: time_machine.Traveller) -> Member:
    return client.sign_up()


def works(client: Client, raw_key: str) -> bool:
    """Whether it is accepted; this counts against no limit."""
    return client.as_key(raw_key).get("/api/v1/me").status_code == 200


def fill(member: Member) -> list[dict[str, Any]]:
    """Make keys until there is no room."""
    made = []
    while (response := member.client.post(KEYS, {"name": "filler"})).status_code == 201:
        made.append(ok(response, 201))
    refused(response)
    return made


def refused(response: TestResponse) -> None:
    details = error(response, 429, "USAGE_LIMIT_EXCEEDED")
    assert details == {"limit": "max_keys", "size": TRIAL_KEYS}


def change(member: Member, key: dict[str, Any], **changes: Any) -> TestResponse:
    return member.client.patch(f"{KEYS}/{key['id']}", changes)


def primary_of(member: Member) -> dict[str, Any]:
    [primary] = [key for key in ok(member.client.get(KEYS)) if key["is_primary"]]
    return dict(primary)


@pytest.mark.both_ways
class TestAnExpiredKey:
    def test_that_is_primary_is_regenerated_only_where_there_is_room(
        self, client: Client, member: Member, clock: time_machine.Traveller
    ) -> None:
        """S45: the new one has no expiry, so it counts where the old one did not any more."""
        ok(change(member, primary_of(member), expires_at=SOON))
        clock.shift(10)
        made = fill(member)
        assert len(made) == TRIAL_KEYS
        before = primary_of(member)
        refused(member.client.post(REGENERATE))
        assert primary_of(member) == before
        ok(member.client.delete(f"{KEYS}/{made[0]['id']}"), 204)
        issued = ok(member.client.post(REGENERATE))
        assert issued["key"]["expires_at"] is None
        assert works(client, issued["api_key"])
        refused(member.client.post(KEYS, {"name": "one more"}))

    @pytest.mark.both_databases
    @pytest.mark.parametrize("expires_at", [None, LATER])
    def test_is_prolonged_only_where_there_is_room(
        self, member: Member, clock: time_machine.Traveller, expires_at: str | None
    ) -> None:
        key = member.create_key(expires_at=SOON)
        clock.shift(10)
        made = fill(member)
        refused(change(member, key, expires_at=expires_at))
        ok(change(member, key, name="still expired", is_active=False))
        ok(member.client.delete(f"{KEYS}/{made[0]['id']}"), 204)
        ok(change(member, key, expires_at=expires_at, is_active=True))
        refused(member.client.post(KEYS, {"name": "one more"}))


@pytest.mark.both_ways
class TestADisabledKey:
    def test_keeps_its_place_so_it_can_always_be_enabled(
        self, client: Client, member: Member
    ) -> None:
        key = member.create_key()
        fill(member)
        ok(change(member, key, is_active=False))
        refused(member.client.post(KEYS, {"name": "one more"}))
        ok(change(member, key, is_active=True))
        assert works(client, key["api_key"])

    def test_that_is_primary_is_regenerated_in_its_own_place(
        self, client: Client, member: Member
    ) -> None:
        limits = {"scopes": ["query"], "allowed_ips": ["127.0.0.0/8"], "name": "CI"}
        later = {"is_active": False, "expires_at": LATER}
        ok(change(member, primary_of(member), **limits, **later))
        fill(member)
        issued = ok(member.client.post(REGENERATE))
        key = issued["key"]
        assert {name: key[name] for name in limits} == limits
        assert (key["is_active"], key["expires_at"]) == (True, None)
        assert works(client, issued["api_key"])

    def test_is_rotated_in_its_own_place(self, member: Member) -> None:
        key = member.create_key()
        fill(member)
        ok(change(member, key, is_active=False))
        new = ok(member.client.post(f"{KEYS}/{key['id']}/rotate", {"grace_seconds": 60}), 201)
        ok(change(member, new, is_active=True))
        refused(member.client.post(KEYS, {"name": "one more"}))


class TestEveryWayOfMakingOne:
    def test_is_refused_where_the_plan_is_full(
        self, client: Client, member: Member, make_app: Callable[..., Flask]
    ) -> None:
        agent = member.create_agent()
        fill(member)
        agent_uuid = decode_id(AGENT, agent["id"])
        faces = Client(make_app(compat=("ragchats", "rst"))).as_user(member.token)
        refused(member.client.post(f"/api/agents/{agent['id']}/api-keys", {"name": "x"}))
        refused(member.client.post(KEYS, {"name": "x", "agent_id": agent["id"]}))
        refused(member.client.post(KEYS, {"name": "x", "environment": "test"}))
        assert faces.post("/compat/rst/v1/auth/api-keys", {"name": "x"}).status_code == 429
        path = f"/compat/ragchats/api/agents/{agent_uuid}/api-keys/"
        assert faces.post(path, {"name": "x"}).status_code == 429
        assert len(ok(member.client.get(KEYS))) == TRIAL_KEYS

    def test_an_account_over_its_plan_makes_none_and_replaces_what_it_has(
        self, client: Client, member: Member
    ) -> None:
        """A smaller plan kills no key."""
        set_plan(member, "starter")
        keys = [member.create_key() for _ in range(TRIAL_KEYS + 1)]
        set_plan(member, "trial")
        refused(member.client.post(KEYS, {"name": "one more"}))
        new = ok(member.client.post(f"{KEYS}/{keys[0]['id']}/rotate"), 201)
        assert works(client, new["api_key"])
        ok(member.client.post(REGENERATE))
        ok(change(member, new, name="renamed", expires_at=LATER))


@pytest.mark.both_databases
@pytest.mark.both_ways
class TestAtTheSameInstant:
    def test_one_place_is_taken_by_one_however_many_want_it_in_whatever_way(
        self, client: Client, member: Member, clock: time_machine.Traveller
    ) -> None:
        """S45: every change of an account's keys takes one lock."""
        ok(change(member, primary_of(member), expires_at=SOON))
        expired = [member.create_key(expires_at=SOON) for _ in range(3)]
        clock.shift(10)
        [place, *_] = fill(member)
        ok(member.client.delete(f"{KEYS}/{place['id']}"), 204)
        wishes: list[Callable[[], TestResponse]] = [
            *(lambda key=key: change(member, key, expires_at=None) for key in expired),
            lambda: member.client.post(REGENERATE),
            lambda: member.client.post(KEYS, {"name": "one"}),
            lambda: member.client.post(KEYS, {"name": "other"}),
        ]
        barrier = Barrier(len(wishes), timeout=30)
        answers: list[int] = []

        def ask(wish: Callable[[], TestResponse]) -> None:
            barrier.wait()
            answers.append(wish().status_code)

        threads = [Thread(target=ask, args=(wish,)) for wish in wishes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers)[1:] == [429] * (len(wishes) - 1)
        assert answers.count(200) + answers.count(201) == 1
        refused(member.client.post(KEYS, {"name": "one more"}))
