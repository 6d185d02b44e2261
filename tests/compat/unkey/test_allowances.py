"""What a key may use, where several set it: at once, over the service's own routes, in a grace."""

from collections.abc import Callable
from typing import Any

import pytest

from ragauth.blueprints.compat.unkey import keys
from ragauth.counters import CountersUnavailable
from tests.cases import for_each
from tests.clients import Client, issues, ok
from tests.compat.unkey.asking import V2, Root
from tests.factories.api_keys import make_service_key
from tests.runtime import runtime_of

ASKED = 5
DAILY = {"remaining": 3, "refill": {"interval": "daily", "amount": 4}}
BURST = {"name": "burst", "limit": 50, "duration": 60_000, "autoApply": True}
BURST_HERE = {"meter": "requests", "window": "minute", "size": 50, "name": "burst"}


@pytest.fixture
def root(faces: Client) -> Root:
    return Root(faces.as_user(make_service_key(faces.app, "verify", "keys", "accounts")))


def use_up(root: Root, key: str) -> int:
    """How many of so many questions are allowed."""
    return sum(root.verify(key)["valid"] for _ in range(ASKED))


class TestTwoChangesAtOnce:
    @pytest.mark.both_databases
    @for_each(
        ("first", "second"),
        [
            ({"ratelimits": [BURST]}, {"credits": DAILY}),
            ({"credits": DAILY}, {"ratelimits": [BURST]}),
            ({"ratelimits": [BURST]}, {"credits": {"remaining": 3}}),
            ({"credits": {"remaining": 3}}, {"ratelimits": [BURST]}),
        ],
    )
    def test_neither_is_lost(
        self,
        root: Root,
        monkeypatch: pytest.MonkeyPatch,
        first: dict[str, Any],
        second: dict[str, Any],
    ) -> None:
        key_id, key = root.make_key()
        declare: Callable[..., Any] = keys.declared_scopes.declare_missing

        def declare_while_another_changes(names: Any) -> Any:
            monkeypatch.undo()
            root.data("keys.updateKey", keyId=key_id, **second)
            return declare(names)

        # It comes after the key was read, and before it is changed.
        monkeypatch.setattr(keys.declared_scopes, "declare_missing", declare_while_another_changes)
        root.data("keys.updateKey", keyId=key_id, **first)
        shown = root.show(key_id)
        assert shown["credits"]["remaining"] == 3
        assert [one["name"] for one in shown["ratelimits"]] == ["burst"]
        assert use_up(root, key) == 3


@pytest.mark.parametrize("remaining", [2, 30])
def test_what_is_left_of_a_refill_goes_to_the_api_with_the_key(root: Root, remaining: int) -> None:
    credits = {**DAILY, "remaining": remaining}
    key_id, key = root.make_key(externalId="c-1", credits=credits)
    assert root.verify(key)["credits"] == remaining - 1
    root.data("identities.deleteIdentity", identity="c-1")
    assert root.show(key_id)["credits"] == {**credits, "remaining": remaining - 1}
    assert root.verify(key)["credits"] == remaining - 2


class TestAKeyInItsGrace:
    """The predecessor uses the same credits and refills as the key that replaced it: S49."""

    @for_each("before", [None, {"remaining": 5}, DAILY])
    @for_each("after", [{"remaining": 2}, {**DAILY, "remaining": 2}])
    def test_is_as_limited_as_its_successor(
        self, root: Root, before: dict[str, Any] | None, after: dict[str, Any]
    ) -> None:
        key_id, key = root.make_key(**({} if before is None else {"credits": before}))
        new = root.data("keys.rerollKey", keyId=key_id, expiration=600_000)
        root.data("keys.updateKey", keyId=new["keyId"], credits=after)
        assert use_up(root, key) == 2
        assert use_up(root, new["key"]) == 0
        root.data("keys.updateKey", keyId=new["keyId"], credits=None)
        assert use_up(root, key) == use_up(root, new["key"]) == ASKED


class TestTheServicesOwnRoutes:
    """PATCH replaces all limits of a key, as it does elsewhere."""

    @pytest.fixture
    def service(self, faces: Client) -> Client:
        return faces.as_key(make_service_key(faces.app, "keys"))

    @pytest.mark.parametrize("given", [{"remaining": 9}, {**DAILY, "remaining": 9}])
    def test_a_list_that_is_given_back_changes_nothing(
        self, root: Root, service: Client, given: dict[str, Any]
    ) -> None:
        rates = [{**BURST, "name": f"r{number}"} for number in range(9)]
        key_id, key = root.make_key(credits=given, ratelimits=rates)
        assert root.verify(key)["valid"]
        path = f"/api/v1/internal/api-keys/{key_id}"
        limits = ok(service.get(path))["limits"]
        assert len(limits) == 10
        for _ in range(2):
            assert ok(service.patch(path, {"limits": limits}))["limits"] == limits
        assert root.show(key_id)["credits"]["remaining"] == 8
        root.data("keys.updateCredits", keyId=key_id, operation="increment", value=1)
        assert root.show(key_id)["credits"]["remaining"] == 9

    def test_another_total_takes_the_place_of_credits(self, root: Root, service: Client) -> None:
        key_id, key = root.make_key(credits={"remaining": 9}, ratelimits=[BURST])
        assert root.verify(key)["valid"]
        path = f"/api/v1/internal/api-keys/{key_id}"
        limits = [{"meter": "requests", "window": "total", "size": 4}, BURST_HERE]
        assert ok(service.patch(path, {"limits": limits}))["limits"] == limits
        assert use_up(root, key) == 3
        # A client that counts on credits finds them in any total.
        added = {"operation": "increment", "value": 2}
        assert root.data("keys.updateCredits", keyId=key_id, **added) == {"remaining": 2}
        assert use_up(root, key) == 2

    def test_no_limit_is_none(self, root: Root, service: Client) -> None:
        key_id, key = root.make_key(credits={"remaining": 1})
        path = f"/api/v1/internal/api-keys/{key_id}"
        assert ok(service.patch(path, {"limits": None}))["limits"] is None
        assert "credits" not in root.show(key_id)
        assert use_up(root, key) == ASKED
        root.data("keys.updateCredits", keyId=key_id, operation="set", value=2)
        assert use_up(root, key) == 2

    def test_a_key_has_ten_limits_at_most_whoever_sets_them(
        self, root: Root, service: Client
    ) -> None:
        key_id, _ = root.make_key()
        path = f"/api/v1/internal/api-keys/{key_id}"
        ten = [
            {"meter": "requests", "window": f"{seconds}s", "size": 5} for seconds in range(2, 12)
        ]
        assert ok(service.patch(path, {"limits": ten}))["limits"] == ten
        key = {"keyId": key_id}
        for method, body in (
            ("keys.updateKey", {"ratelimits": [BURST]}),
            ("keys.updateKey", {"credits": DAILY}),
            ("keys.updateCredits", {"operation": "set", "value": 5}),
        ):
            assert root.faults(method, **key, **body) == ["body.ratelimits"]
        assert ok(service.get(path))["limits"] == ten

    def test_an_owner_does_not_take_the_operators_credits_away(
        self, root: Root, faces: Client
    ) -> None:
        member = faces.sign_up()
        key = ok(member.client.post("/api/auth/api-keys", {"name": "own"}), 201)
        path = f"/api/auth/api-keys/{key['id']}"
        root.data("keys.updateCredits", keyId=key["id"], operation="set", value=2)
        limits = ok(member.client.get(path))["limits"]
        for others in (None, [], [BURST_HERE], [{**limits[0], "size": 100}]):
            assert set(issues(member.client.patch(path, {"limits": others}))) == {("limits",)}
        both = [*limits, BURST_HERE]
        assert ok(member.client.patch(path, {"limits": both}))["limits"] == both
        assert use_up(root, key["api_key"]) == 2


@pytest.mark.parametrize("method", ["keys.createKey", "keys.migrateKeys"])
def test_no_key_is_made_whose_first_rest_cannot_be_set(
    root: Root, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Its own period would begin with all that a refill gives."""

    def fail(*_: object) -> None:
        raise CountersUnavailable("gone")

    api_id, migrated = root.make_api(), {"hash": "ab" * 32, "credits": DAILY}
    one = {"migrationId": "m", "keys": [migrated]} if "migrate" in method else {"credits": DAILY}
    with monkeypatch.context() as without:
        without.setattr(runtime_of(root.client.app).limits.counters, "shift_tally", fail)
        response = root.client.post(f"{V2}/{method}", {"apiId": api_id, **one})
    assert response.status_code == 503, response.text
    assert root.data("apis.listKeys", apiId=api_id) == []
    assert root.client.post(f"{V2}/{method}", {"apiId": api_id, **one}).status_code == 200
    [made] = root.data("apis.listKeys", apiId=api_id)
    assert made["credits"] == DAILY
