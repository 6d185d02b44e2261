"""Any order of what an owner may do with keys: no more work than the plan allows (S45)."""

from typing import Any

import pytest
import time_machine
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.clients import Client, ok

pytestmark = pytest.mark.both_databases

TRIAL_KEYS = 5
NOON = "2027-01-01T12:00:00Z"
KEYS = "/api/auth/api-keys"
PRIMARY = -1

# The newest ones are those that live, and the newest of all has a predecessor.
which_key = st.sampled_from((0, 0, 0, 1, 1, 2, 3, 4, 7, PRIMARY, PRIMARY))
graces = st.sampled_from((600, 600, 604_800, 0))
# A moment that comes soon, or never: keys die and are called back.
ends = st.sampled_from((5, None))


class Keys(RuleBasedStateMachine):
    """One account on a plan of five keys; its owner acts on any key ever made, dead ones too."""

    app: Flask

    def __init__(self) -> None:
        super().__init__()
        self.travel = time_machine.travel(NOON, tick=False)
        self.clock = self.travel.start()
        self.now = 0
        self.raw_keys: dict[str, str] = {}
        self.ids: list[str] = []

    def teardown(self) -> None:
        try:
            works = set(self._list_working())
            for key_id, raw_key in self.raw_keys.items():
                response = Client(self.app).as_key(raw_key).get("/api/v1/me")
                assert (response.status_code == 200) is (key_id in works)
        finally:
            self.travel.stop()

    @initialize()
    def sign_up(self) -> None:
        member = Client(self.app).sign_up()
        self.client = member.client
        [primary] = ok(self.client.get(KEYS))
        self._add(primary, member.api_key)
        for _ in range(TRIAL_KEYS - 1):
            self.create(None)

    def _add(self, key: dict[str, Any], raw_key: str) -> None:
        self.ids.insert(0, key["id"])
        self.raw_keys[key["id"]] = raw_key
        if key["is_primary"]:
            self.primary = key["id"]

    def _at(self, which: int) -> str:
        return f"{KEYS}/{self._id_at(which)}"

    def _id_at(self, which: int) -> str:
        return self.primary if which == PRIMARY else self.ids[which % len(self.ids)]

    @rule(expires_in=ends)
    def create(self, expires_in: int | None) -> None:
        body = {"name": "any", "expires_at": self._moment(expires_in)}
        response = self.client.post(KEYS, body)
        if response.status_code == 201:
            data = ok(response, 201)
            self._add(data, data["api_key"])
        else:
            assert response.status_code == 429

    @rule(which=which_key, grace_seconds=graces)
    def rotate(self, which: int, grace_seconds: int) -> None:
        path = f"{self._at(which)}/rotate"
        response = self.client.post(path, {"grace_seconds": grace_seconds})
        if response.status_code == 201:
            data = ok(response, 201)
            self._add(data, data["api_key"])
        else:
            assert response.status_code in (404, 409)

    @rule(which=st.sampled_from((0, PRIMARY)))
    def rotate_twice(self, which: int) -> None:
        for _ in range(2):
            self.rotate(which, 600)

    @rule(which=which_key)
    def rotate_and_delete_what_came_of_it(self, which: int) -> None:
        self.rotate(which, 600)
        self.revoke(0, by_holder=False)

    @rule()
    def regenerate(self) -> None:
        response = self.client.post("/api/auth/api-key/regenerate")
        if response.status_code == 200:
            data = ok(response)
            self._add(data["key"], data["api_key"])
        else:
            assert response.status_code == 429

    @rule(which=which_key, is_active=st.sampled_from((True, True, False)))
    def switch(self, which: int, is_active: bool) -> None:
        response = self.client.patch(self._at(which), {"is_active": is_active})
        assert response.status_code in (200, 404)

    @rule(which=which_key, expires_in=ends)
    def change_its_end(self, which: int, expires_in: int | None) -> None:
        response = self.client.patch(self._at(which), {"expires_at": self._moment(expires_in)})
        assert response.status_code in (200, 404, 409, 429)

    @rule(which=which_key, by_holder=st.booleans())
    def revoke(self, which: int, by_holder: bool) -> None:
        if by_holder:
            raw_key = self.raw_keys[self._id_at(which)]
            ok(Client(self.app).post("/api/v1/keys/revoke", {"key": raw_key}), 204)
        else:
            assert self.client.delete(self._at(which)).status_code in (204, 404)

    @rule(seconds=st.sampled_from((5, 60)))
    def wait(self, seconds: int) -> None:
        self.clock.shift(seconds)
        self.now += seconds

    def _moment(self, seconds: int | None) -> str | None:
        if seconds is None:
            return None
        minutes, rest = divmod(self.now + seconds, 60)
        return f"2027-01-01T{12 + minutes // 60:02}:{minutes % 60:02}:{rest:02}Z"

    @invariant()
    def no_more_keys_work_than_the_plan_has_and_one_predecessor_each(self) -> None:
        if not self.ids:
            return
        works = self._list_working()
        replaced = [successor for successor in works.values() if successor in works]
        assert len(works) - len(replaced) <= TRIAL_KEYS
        assert len(replaced) == len(set(replaced)), "two predecessors of one key"
        # Nor does one that is in its grace have one that is.
        assert not [successor for successor in replaced if works[successor] in works]

    def _list_working(self) -> dict[str, str | None]:
        """The keys that work, each with the one that replaced it; teardown tries them."""
        now = self._moment(0) or ""
        return {
            key["id"]: key["replaced_by"]
            for key in ok(self.client.get(f"{KEYS}?limit=100"))
            if key["is_active"] and (key["expires_at"] or "9") > now
        }


def test_no_order_of_changes_makes_more_keys_work_than_the_plan_has(
    app: Flask, database: str
) -> None:
    """S45: each live key has one predecessor in grace at most."""

    class OnThisDatabase(Keys):
        pass

    OnThisDatabase.app = app
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            # Four, one on Postgres, and `make test-fuzz` more.
            max_examples=max(1, settings().max_examples // (7 if database == "sqlite" else 30)),
            stateful_step_count=25,
            # A failure is short as it is; to make it shorter would take minutes.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
