"""What the official clients see (tests/e2e/unkey), within one process: each turn of the code."""

from typing import Any

import pytest

from tests.clients import Client, ok
from tests.compat.unkey.asking import Root
from tests.factories.api_keys import make_service_key

DAILY = {"interval": "daily", "amount": 10}
BURST = {"name": "burst", "limit": 2, "duration": 60_000, "autoApply": True}
HEAVY = {"name": "heavy", "limit": 5, "duration": 86_400_000, "autoApply": False}


@pytest.fixture
def root(faces: Client) -> Root:
    return Root(faces.as_user(make_service_key(faces.app, "verify", "keys", "accounts", "usage")))


class TestKeys:
    def test_one_is_made_shown_changed_moved_and_deleted(self, root: Root) -> None:
        key_id, key = root.make_key(
            name="a",
            prefix="test",
            externalId="c-1",
            meta={"a": 1},
            permissions=["x"],
            credits={"remaining": 3, "refill": DAILY},
            ratelimits=[BURST, HEAVY],
        )
        shown = root.show(key_id)
        assert shown["credits"] == {"remaining": 3, "refill": DAILY}
        assert [one["name"] for one in shown["ratelimits"]] == ["burst", "heavy"]
        assert (shown["start"], shown["identity"]["externalId"]) == (key[:9], "c-1")
        root.data(
            "keys.updateKey",
            **{"keyId": key_id, "name": None, "externalId": "c-2", "meta": None},
            **{"permissions": ["y", "z"], "ratelimits": [HEAVY], "enabled": True},
        )
        shown = root.data("keys.whoami", key=key)
        assert "name" not in shown
        assert "meta" not in shown
        assert (shown["permissions"], shown["identity"]["externalId"]) == (["y", "z"], "c-2")
        assert shown["credits"] == {"remaining": 3, "refill": DAILY}
        root.data("keys.updateKey", keyId=key_id, externalId=None, credits=None)
        assert {"identity", "credits"} & set(root.show(key_id)) == set()
        made = root.data("keys.rerollKey", keyId=key_id, expiration=1)
        root.data("keys.deleteKey", keyId=made["keyId"])
        assert root.verify(made["key"]) == {"valid": False, "code": "NOT_FOUND"}

    def test_they_are_listed_and_end_with_their_api(self, root: Root) -> None:
        api_id = root.make_api()
        ids = [root.make_key(apiId=api_id, externalId=name)[0] for name in ("a", "b", "b")]
        root.make_key()
        listed = root.data("apis.listKeys", apiId=api_id, limit=2)
        assert [one["keyId"] for one in listed] == ids[:0:-1]
        listed = root.data("apis.listKeys", apiId=api_id, externalId="a")
        assert [one["keyId"] for one in listed] == ids[:1]
        assert root.data("apis.getApi", apiId=api_id)["name"] == "payments"
        root.data("apis.deleteApi", apiId=api_id)
        assert (
            root.client.post("/compat/unkey/v2/keys.getKey", {"keyId": ids[0]}).status_code == 404
        )

    def test_permissions_are_changed_by_slug_and_id(self, root: Root) -> None:
        key_id, _ = root.make_key()

        def slugs(verb: str, *named: str) -> list[str]:
            answer = root.data(f"keys.{verb}Permissions", keyId=key_id, permissions=[*named])
            return [one["slug"] for one in answer]

        assert slugs("add", "a", "b") == ["a", "b"]
        (one, _) = root.data("keys.addPermissions", keyId=key_id, permissions=[])
        assert slugs("remove", one["id"], "perm_nothing") == ["b"]
        assert slugs("set", "c") == ["c"]

    def test_an_owners_key_outside_of_all_apis_stays_with_its_owner(
        self, faces: Client, root: Root
    ) -> None:
        key_id = faces.sign_up().create_key()["id"]
        for external_id in ("c-9", None):
            body = {"keyId": key_id, "externalId": external_id}
            assert root.client.post("/compat/unkey/v2/keys.updateKey", body).status_code == 409
        assert root.faults("keys.updateKey", keyId=key_id, permissions=["free"]) == [
            "body.permissions"
        ]


class TestCredits:
    def test_each_operation_with_and_without_a_refill(self, root: Root) -> None:
        for credits in ({"remaining": 5}, {"remaining": 5, "refill": DAILY}):
            key_id, _ = root.make_key(credits=credits)
            for operation, value, left in [("increment", 2, 7), ("decrement", 9, 0), ("set", 4, 4)]:
                now = root.data(
                    "keys.updateCredits", keyId=key_id, operation=operation, value=value
                )
                assert now["remaining"] == left
            cleared = root.data("keys.updateCredits", keyId=key_id, operation="set")
            assert cleared == {"remaining": None}
            for value in (1, None):
                body = {"keyId": key_id, "operation": "increment", "value": value}
                assert root.faults("keys.updateCredits", **body)

    def test_a_refill_comes_and_goes(self, root: Root) -> None:
        key_id, _ = root.make_key(credits={"remaining": 5})
        for credits, now in [
            ({"refill": DAILY}, {"remaining": 5, "refill": DAILY}),
            ({"remaining": 8}, {"remaining": 8, "refill": DAILY}),
            ({"refill": None}, {"remaining": 8}),
            ({}, {"remaining": 8}),
            ({"remaining": None}, None),
        ]:
            root.data("keys.updateKey", keyId=key_id, credits=credits)
            assert root.show(key_id).get("credits") == now
        assert root.faults("keys.updateKey", keyId=key_id, credits={"refill": DAILY}) == [
            "body.credits.remaining"
        ]


class TestVerifying:
    def test_rate_limits_are_met_and_told(self, root: Root) -> None:
        _, key = root.make_key(ratelimits=[BURST, HEAVY])
        named: dict[str, Any] = {"ratelimits": [{"name": "heavy", "cost": 4}]}
        first = root.verify(key, **named)
        assert [(one["name"], one["remaining"]) for one in first["ratelimits"]] == [
            ("burst", 1),
            ("heavy", 1),
        ]
        second = root.verify(key, **named)
        assert (second["code"], [one["exceeded"] for one in second["ratelimits"]]) == (
            "RATE_LIMITED",
            [False, True],
        )

    def test_only_a_limit_of_the_key_can_be_asked_for(self, root: Root) -> None:
        _, key = root.make_key(ratelimits=[HEAVY])
        for asked, place in [
            ([{"name": "x"}], "body.ratelimits[0].name"),
            ([{"name": "heavy", "limit": 5}], "body.ratelimits[0].limit"),
            ([{"name": "heavy"}] * 2, "body.ratelimits"),
            ([{"name": f"n{number}"} for number in range(11)], "body.ratelimits"),
            ("heavy", "body.ratelimits"),
        ]:
            assert root.faults("keys.verifyKey", key=key, ratelimits=asked) == [place]
        assert root.faults("keys.verifyKey", key=key, permissions="a AND") == ["body.permissions"]

    def test_a_dead_or_switched_off_key_has_a_code(self, root: Root) -> None:
        _, key = root.make_key(enabled=False, credits={"remaining": 1})
        verdict = root.verify(key)
        assert (verdict["code"], verdict["enabled"], "credits" in verdict) == (
            *("DISABLED", False),
            False,
        )
        space = root.verify(root.make_key()[1])["keyspaceId"]
        assert root.verify(key, keyspaces=[space, "ks_none"])["code"] == "NOT_FOUND"

    def test_a_key_of_an_agent_has_no_permission_over_the_whole_account(
        self, root: Root, faces: Client
    ) -> None:
        """S21: a query asks for `manage` as a single scope does."""
        member = faces.sign_up()
        agent = ok(member.client.post("/api/agents", {"name": "a"}), 201)
        path = f"/api/agents/{agent['id']}/api-keys"
        key = ok(member.client.post(path, {"name": "k"}), 201)["api_key"]
        for query, code in (
            ("query", "VALID"),
            ("manage", "FORBIDDEN"),
            ("query AND manage", "FORBIDDEN"),
            ("manage OR (query AND ingest)", "VALID"),
            ("manage AND other", "INSUFFICIENT_PERMISSIONS"),
        ):
            assert root.verify(key, permissions=query)["code"] == code, query

    def test_a_deleted_key_is_not_found_whatever_else_is_asked(self, root: Root) -> None:
        key_id, key = root.make_key(ratelimits=[HEAVY])
        root.data("keys.deleteKey", keyId=key_id)
        for name in ("heavy", "x"):
            assert root.verify(key, ratelimits=[{"name": name}])["code"] == "NOT_FOUND"

    def test_an_api_and_its_keyspace_are_one_under_either_id(self, root: Root) -> None:
        api_id = root.make_api()
        _, key = root.make_key(apiId=api_id)
        space = api_id.replace("api_", "ks_")
        for asked in (api_id, space):
            assert root.verify(key, keyspaces=[asked])["code"] == "VALID"
            assert root.data("apis.getApi", apiId=asked)["id"] == api_id
        assert root.verify(key, keyspaces=[root.make_api()])["code"] == "NOT_FOUND"


def test_a_fault_is_told_by_the_clients_own_names(root: Root) -> None:
    body = {"apiId": root.make_api(), "expires": 1_000}
    answer = root.client.post("/compat/unkey/v2/keys.createKey", body).get_json()["error"]
    assert answer["detail"] == "expires: Must be in the future"
    assert answer["errors"] == [{"location": "body.expires", "message": "Must be in the future"}]
    answer = root.client.post("/compat/unkey/v2/identities.listIdentities", {"cursor": "x"})
    assert (
        answer.get_json()["error"]["detail"] == "cursor: Must be the next cursor of the page before"
    )


def test_faults_of_a_new_key_have_their_places(root: Root) -> None:
    for fields, place in [
        ({"ratelimits": [BURST, BURST]}, "body.ratelimits[1].name"),
        ({"ratelimits": [BURST] * 10}, "body.ratelimits"),
        ({"ratelimits": {}}, "body.ratelimits"),
        ({"roles": ["admin"]}, "body.roles"),
        ({"permissions": ["a.*"]}, "body.permissions[0]"),
        ({"permissions": ["A"]}, "body.permissions[0]"),
        ({"permissions": ["a", "or"]}, "body.permissions[1]"),
        ({"expires": "soon"}, "body.expires"),
        ({"apiId": "a b"}, "body.apiId"),
        ({"prefix": "rag_svc"}, "body.prefix"),
        ({"credits": {"remaining": None, "refill": DAILY}}, "body.credits.remaining"),
        (
            {"credits": {"remaining": 1, "refill": {**DAILY, "refillDay": 1}}},
            "body.credits.refill.refillDay",
        ),
        ({"name": "x" * 101}, "body.name"),
        ({"colour": 1}, "body.colour"),
    ]:
        body = {"apiId": "api_x", **fields}
        assert root.faults("keys.createKey", **body) == [place], fields
