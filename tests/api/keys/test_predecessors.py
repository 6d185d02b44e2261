"""Keys in their grace: each live key has one at most, and none outlives what its owner expects."""

from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine

from tests.clients import Client, Member, error, ok
from tests.factories.commands import run

TRIAL_KEYS = 5
KEYS = "/api/auth/api-keys"
REGENERATE = "/api/auth/api-key/regenerate"
GRACE = 600
Key = dict[str, Any]


@pytest.fixture
def clock() -> time_machine.Traveller:
    with time_machine.travel("2027-01-01T12:00:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def member(client: Client, clock: time_machine.Traveller) -> Member:
    return client.sign_up()


@pytest.fixture
def key(member: Member) -> Key:
    return member.create_key()


def rotate(member: Member, key: Key, grace_seconds: int = GRACE) -> Key:
    path = f"{KEYS}/{key['id']}/rotate"
    new: Key = ok(member.client.post(path, {"grace_seconds": grace_seconds}), 201)
    return new


def delete(member: Member, key: Key) -> None:
    ok(member.client.delete(f"{KEYS}/{key['id']}"), 204)


def working(client: Client, *keys: Key) -> list[bool]:
    return [client.as_key(key["api_key"]).get("/api/v1/me").status_code == 200 for key in keys]


def make(member: Member) -> int:
    return member.client.post(KEYS, {"name": "one more"}).status_code


def fill(member: Member) -> None:
    while make(member) == 201:
        pass


@pytest.mark.both_ways
class TestAChain:
    @pytest.mark.parametrize("grace_seconds", [GRACE, 0])
    def test_has_one_predecessor_whichever_way_its_last_key_is_rotated(
        self, client: Client, member: Member, key: Key, grace_seconds: int
    ) -> None:
        """S45: the old one works until the new one is rotated."""
        second = rotate(member, key)
        assert working(client, key, second) == [True, True]
        third = rotate(member, second, grace_seconds)
        assert working(client, key, second, third) == [False, grace_seconds > 0, True]
        response = client.as_key(key["api_key"]).get("/api/v1/authorize")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_never_makes_more_than_two_working_keys_of_one(
        self, client: Client, member: Member
    ) -> None:
        """S45"""
        fill(member)
        [*last] = [{**key, "api_key": ""} for key in ok(member.client.get(KEYS))]
        made: list[Key] = []
        for _ in range(4):
            last = [rotate(member, key) for key in last]
            made += last
        assert sum(working(client, *made)) == 2 * TRIAL_KEYS

    def test_tells_the_owner_that_the_first_one_ended(self, member: Member, key: Key) -> None:
        second = rotate(member, key)
        before = member.event_names().count("api_key:revoked")
        rotate(member, second)
        events = ok(member.client.get("/api/auth/events"))
        [event] = [event for event in events if event["name"] == "api_key:revoked"]
        assert before == 0
        assert event["details"]["key_id"] == key["id"]
        assert event["details"]["by"] == "rotation"

    @pytest.mark.both_databases
    def test_says_nothing_of_one_whose_grace_is_over(
        self, member: Member, key: Key, clock: time_machine.Traveller
    ) -> None:
        second = rotate(member, key)
        clock.shift(GRACE)
        rotate(member, second)
        assert member.event_names().count("api_key:revoked") == 0

    def test_leaves_other_keys_predecessors_alone(
        self, client: Client, member: Member, key: Key
    ) -> None:
        other = member.create_key()
        second, others = rotate(member, key), rotate(member, other)
        rotate(member, second)
        assert working(client, key, other, others) == [False, True, True]


class TestAPrimaryOne:
    def test_ends_with_a_regeneration(self, client: Client, member: Member) -> None:
        """S45: regenerating is rotating without a grace."""
        [primary] = ok(member.client.get(KEYS))
        first = {**primary, "api_key": member.api_key}
        second = rotate(member, first)
        third = ok(member.client.post(REGENERATE))
        third_key = {**third["key"], "api_key": third["api_key"]}
        assert working(client, first, second, third_key) == [False, False, True]
        # And once more, with a grace: what was regenerated is a key like any other.
        fourth = rotate(member, third_key)
        assert working(client, third_key, fourth) == [True, True]
        assert {each["id"]: each["is_primary"] for each in ok(member.client.get(KEYS))} == {
            third_key["id"]: False,
            fourth["id"]: True,
        }


@pytest.mark.both_ways
class TestWithoutASuccessor:
    @pytest.mark.both_databases
    def test_it_works_until_its_grace_ends_and_takes_the_place(
        self, client: Client, member: Member, key: Key, clock: time_machine.Traveller
    ) -> None:
        """S45: it stands for the key that its owner deleted, so it is not one for nothing."""
        fill(member)
        second = rotate(member, key)
        delete(member, second)
        assert working(client, key, second) == [True, False]
        assert make(member) == 429
        clock.shift(GRACE)
        assert working(client, key) == [False]
        assert make(member) == 201
        assert make(member) == 429

    def test_deleting_both_leaves_the_place(self, member: Member, key: Key) -> None:
        fill(member)
        delete(member, rotate(member, key))
        delete(member, key)
        assert make(member) == 201

    @pytest.mark.parametrize("how", ["its holder", "an operator"])
    def test_it_takes_the_place_whoever_killed_the_successor(
        self, client: Client, member: Member, key: Key, how: str
    ) -> None:
        """S45"""
        fill(member)
        second = rotate(member, key)
        if how == "its holder":
            ok(client.post("/api/v1/keys/revoke", {"key": second["api_key"]}), 204)
        else:
            run(client.app, "keys", "revoke", second["id"], "--yes")
        assert working(client, key, second) == [True, False]
        assert make(member) == 429

    def test_one_whose_successor_expired_takes_its_place_and_gives_it_back(
        self, client: Client, member: Member, key: Key, clock: time_machine.Traveller
    ) -> None:
        """S45"""
        fill(member)
        second = rotate(member, key)
        path = f"{KEYS}/{second['id']}"
        ok(member.client.patch(path, {"expires_at": "2027-01-01T12:00:10Z"}))
        clock.shift(10)
        assert working(client, key, second) == [True, False]
        assert make(member) == 429
        ok(member.client.patch(path, {"expires_at": None}))
        assert working(client, key, second) == [True, True]
        assert make(member) == 429

    def test_it_can_be_neither_rotated_nor_prolonged(self, member: Member, key: Key) -> None:
        """S45: its end was told when it was rotated."""
        delete(member, rotate(member, key))
        path = f"{KEYS}/{key['id']}"
        error(member.client.post(f"{path}/rotate"), 409, "CONFLICT")
        error(member.client.patch(path, {"expires_at": None}), 409, "CONFLICT")

    def test_a_new_primary_key_needs_room_beside_it(self, member: Member) -> None:
        """S45"""
        [primary] = ok(member.client.get(KEYS))
        fill(member)
        delete(member, rotate(member, primary))
        error(member.client.post(REGENERATE), 429, "USAGE_LIMIT_EXCEEDED")
        delete(member, primary)
        assert ok(member.client.post(REGENERATE))["key"]["is_primary"]


@pytest.mark.both_databases
class TestAtTheSameInstant:
    def test_rotations_and_regenerations_leave_one_live_key_and_one_predecessor(
        self, client: Client, member: Member
    ) -> None:
        """S45: each waits for the account's lock, and sees what the one before it left."""
        [primary] = ok(member.client.get(KEYS))
        first = {**primary, "api_key": member.api_key}
        second = rotate(member, first)
        wishes = [
            *([(f"{KEYS}/{second['id']}/rotate", {"grace_seconds": GRACE})] * 4),
            *([(REGENERATE, None)] * 2),
        ]
        barrier = Barrier(len(wishes), timeout=30)
        issued: list[str] = []

        def ask(path: str, body: Any) -> None:
            barrier.wait()
            response = member.client.post(path, body)
            assert response.status_code in (200, 201, 404, 409)
            if response.status_code < 400:
                issued.append(response.get_json()["data"]["api_key"])

        threads = [Thread(target=ask, args=wish) for wish in wishes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Both regenerations, and one rotation if that was the first.
        assert len(issued) in (2, 3)
        keys = [first, second, *({"api_key": raw_key} for raw_key in issued)]
        # The last of these was a regeneration, for which nothing has a grace.
        assert sum(working(client, *keys)) == 1
        assert [key["is_primary"] for key in ok(member.client.get(KEYS))] == [True]
