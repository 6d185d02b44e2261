"""Unkey's official clients make, see, change and revoke keys."""

import time
from uuid import uuid4

from tests.e2e.unkey.conftest import Vendor

RATELIMITS = [
    {"name": "burst", "limit": 10, "duration": 60_000, "autoApply": True},
    {"name": "heavy", "limit": 2, "duration": 250, "autoApply": False},
]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class TestApis:
    def test_one_is_made_shown_and_deleted_with_its_keys(self, vendor: Vendor) -> None:
        api_id = vendor.new_api("my-api")
        assert api_id.startswith("api_")
        assert vendor.data("apis.getApi", apiId=api_id) == {"id": api_id, "name": "my-api"}
        _, key = vendor.new_key(api_id, externalId=f"user-{uuid4()}")
        _, another = vendor.new_key(api_id)
        assert vendor.data("apis.deleteApi", apiId=api_id) == {}
        assert [vendor.verify(each)["code"] for each in (key, another)] == ["NOT_FOUND"] * 2
        for method in ("getApi", "deleteApi", "listKeys"):
            refused = vendor.refused(f"apis.{method}", apiId=api_id)
            assert refused.error == "NotFoundErrorResponse"
        assert vendor.refused("keys.createKey", apiId=api_id).error == "NotFoundErrorResponse"

    def test_its_keys_are_listed_in_pages_and_by_identity(self, vendor: Vendor) -> None:
        api_id, external_id = vendor.new_api(), f"user-{uuid4()}"
        ids = [
            vendor.new_key(api_id, **({"externalId": external_id} if number % 2 else {}))[0]
            for number in range(5)
        ]
        first = vendor.ask("apis.listKeys", apiId=api_id, limit=3)
        assert [key["keyId"] for key in first.body["data"]] == ids[:1:-1]
        assert first.body["pagination"]["hasMore"] is True
        cursor = first.body["pagination"]["cursor"]
        rest = vendor.ask("apis.listKeys", apiId=api_id, limit=3, cursor=cursor)
        assert [key["keyId"] for key in rest.body["data"]] == ids[1::-1]
        assert rest.body["pagination"] == {"hasMore": False}
        listed = vendor.data(
            "apis.listKeys",
            apiId=api_id,
            externalId=external_id,
            decrypt=True,
            revalidateKeysCache=True,
        )
        assert [key["keyId"] for key in listed] == [ids[3], ids[1]]
        assert {key["identity"]["externalId"] for key in listed} == {external_id}


class TestMaking:
    def test_all_that_is_given_is_kept(self, vendor: Vendor) -> None:
        external_id, expires = f"user-{uuid4()}", now_ms() + 3_600_000
        key_id, key = vendor.new_key(
            vendor.new_api(),
            name="Production",
            prefix="acme_live",
            byteLength=24,
            externalId=external_id,
            meta={"plan": "pro", "nested": {"seats": [1, 2]}},
            permissions=["documents.read", "documents.write"],
            expires=expires,
            credits={"remaining": 100, "refill": {"interval": "monthly", "amount": 1000}},
            ratelimits=RATELIMITS,
            enabled=True,
            recoverable=True,
        )
        assert key_id.startswith("key_")
        assert key.startswith("acme_live_")
        shown = vendor.data("keys.getKey", keyId=key_id, decrypt=True)
        created_at, ratelimits = shown.pop("createdAt"), shown.pop("ratelimits")
        identity = shown.pop("identity")
        assert abs(created_at - now_ms()) < 60_000
        assert shown == {
            "keyId": key_id,
            "start": key[:14],
            "enabled": True,
            "name": "Production",
            "meta": {"plan": "pro", "nested": {"seats": [1, 2]}},
            "permissions": ["documents.read", "documents.write"],
            "expires": expires,
            "credits": {"remaining": 100, "refill": {"interval": "monthly", "amount": 1000}},
        }
        assert identity["externalId"] == external_id
        assert [{**each, "id": ""} for each in ratelimits] == [
            {**each, "id": ""} for each in RATELIMITS
        ]
        assert vendor.data("keys.whoami", key=key)["keyId"] == key_id

    def test_what_is_left_out_is_left_out_of_the_answer(self, vendor: Vendor) -> None:
        key_id, key = vendor.new_key(vendor.new_api())
        assert key.startswith("rag_live_")
        shown = vendor.data("keys.getKey", keyId=key_id)
        assert set(shown) == {"keyId", "start", "enabled", "createdAt", "permissions"}
        assert vendor.verify(key)["code"] == "VALID"
        assert "lastUsedAt" in vendor.data("keys.getKey", keyId=key_id)


class TestChanging:
    def test_what_is_named_changes_and_null_takes_away(self, vendor: Vendor) -> None:
        api_id, first, second = vendor.new_api(), f"a-{uuid4()}", f"b-{uuid4()}"
        key_id, key = vendor.new_key(
            api_id, name="Old", externalId=first, meta={"a": 1}, ratelimits=RATELIMITS
        )
        expires = now_ms() + 60_000
        changes = {
            "name": "New",
            "externalId": second,
            "meta": {"b": 2},
            "expires": expires,
            "permissions": ["x.read"],
            "credits": {"remaining": 7},
            "ratelimits": RATELIMITS[:1],
        }
        assert vendor.data("keys.updateKey", keyId=key_id, **changes) == {}
        shown = vendor.data("keys.getKey", keyId=key_id)
        assert shown["identity"].pop("id").startswith("id_")
        assert shown["ratelimits"][0].pop("id").startswith("rl_")
        assert {name: shown[name] for name in changes if name in shown} == {
            **{name: value for name, value in changes.items() if name != "externalId"},
        }
        assert shown["identity"]["externalId"] == second
        nothing = dict.fromkeys(("name", "externalId", "meta", "expires", "credits"))
        vendor.data("keys.updateKey", keyId=key_id, **nothing, ratelimits=[])
        shown = vendor.data("keys.getKey", keyId=key_id)
        assert set(shown) == {"keyId", "start", "enabled", "createdAt", "permissions"}
        assert vendor.verify(key)["code"] == "VALID"

    def test_credits_go_along_to_another_identity(self, vendor: Vendor) -> None:
        api_id = vendor.new_api()
        refill = {"interval": "daily", "amount": 10}
        for credits, left in (
            ({"remaining": 9}, 8),
            ({"remaining": 4, "refill": refill}, 3),
            ({"remaining": 40, "refill": refill}, 39),
        ):
            key_id, key = vendor.new_key(api_id, credits=credits)
            assert vendor.verify(key)["credits"] == left
            vendor.data("keys.updateKey", keyId=key_id, externalId=f"user-{uuid4()}")
            assert vendor.verify(key)["credits"] == left - 1
            vendor.data("keys.updateKey", keyId=key_id, externalId=None, credits=credits)
            assert vendor.verify(key)["credits"] == left

    def test_one_that_is_switched_off_is_disabled_and_on_again(self, vendor: Vendor) -> None:
        key_id, key = vendor.new_key(vendor.new_api())
        for enabled, code in ((False, "DISABLED"), (True, "VALID")):
            vendor.data("keys.updateKey", keyId=key_id, enabled=enabled)
            verdict = vendor.verify(key)
            assert (verdict["code"], verdict["enabled"]) == (code, enabled)


class TestPermissions:
    def test_they_are_added_removed_and_set(self, vendor: Vendor) -> None:
        key_id, key = vendor.new_key(vendor.new_api(), permissions=["a.read"])
        added = vendor.data("keys.addPermissions", keyId=key_id, permissions=["b", "a.read"])
        assert [each["slug"] for each in added] == ["a.read", "b"]
        assert all(each["id"].startswith("perm_") and each["name"] for each in added)
        removed = vendor.data(
            "keys.removePermissions", keyId=key_id, permissions=[added[0]["id"], "nothing"]
        )
        assert [each["slug"] for each in removed] == ["b"]
        for slugs in (["c", "d"], []):
            now = vendor.data("keys.setPermissions", keyId=key_id, permissions=slugs)
            assert [each["slug"] for each in now] == slugs
        assert vendor.verify(key, permissions="c")["code"] == "INSUFFICIENT_PERMISSIONS"


class TestCredits:
    def test_they_are_set_raised_and_lowered(self, vendor: Vendor) -> None:
        key_id, key = vendor.new_key(vendor.new_api(), credits={"remaining": 2})
        for operation, value, remaining in [
            ("set", 5, 5),
            ("increment", 3, 8),
            ("decrement", 6, 2),
            ("decrement", 10, 0),
        ]:
            asked = {"keyId": key_id, "operation": operation, "value": value}
            assert vendor.data("keys.updateCredits", **asked) == {"remaining": remaining}
        assert vendor.verify(key)["code"] == "USAGE_EXCEEDED"
        asked = {"keyId": key_id, "operation": "set", "value": None}
        assert vendor.data("keys.updateCredits", **asked) == {"remaining": None}
        assert "credits" not in vendor.verify(key)
        refused = vendor.refused("keys.updateCredits", keyId=key_id, operation="increment", value=1)
        assert refused.error == "BadRequestErrorResponse"

    def test_a_refill_is_beside_them(self, vendor: Vendor) -> None:
        refill = {"interval": "daily", "amount": 10}
        key_id, key = vendor.new_key(vendor.new_api(), credits={"remaining": 4, "refill": refill})
        assert vendor.verify(key)["credits"] == 3
        for operation, value, remaining in [
            ("increment", 9, 12),
            ("decrement", 13, 0),
            ("set", 25, 25),
        ]:
            asked = {"keyId": key_id, "operation": operation, "value": value}
            now = vendor.data("keys.updateCredits", **asked)
            assert now == {"remaining": remaining, "refill": refill}
        vendor.data("keys.updateKey", keyId=key_id, credits={"refill": None})
        assert vendor.data("keys.getKey", keyId=key_id)["credits"] == {"remaining": 25}
        monthly = {"remaining": 50, "refill": {"interval": "monthly", "amount": 5, "refillDay": 1}}
        vendor.data("keys.updateKey", keyId=key_id, credits=monthly)
        assert vendor.data("keys.getKey", keyId=key_id)["credits"] == {
            "remaining": 50,
            "refill": {"interval": "monthly", "amount": 5},
        }
        assert vendor.verify(key, credits={"cost": 50})["credits"] == 0
        assert vendor.verify(key)["code"] == "USAGE_EXCEEDED"


class TestEnding:
    def test_a_deleted_one_is_not_found_anywhere(self, vendor: Vendor) -> None:
        key_id, key = vendor.new_key(vendor.new_api())
        assert vendor.data("keys.deleteKey", keyId=key_id, permanent=True) == {}
        assert vendor.verify(key) == {"valid": False, "code": "NOT_FOUND"}
        for method, body in [
            ("getKey", {}),
            ("deleteKey", {}),
            ("updateKey", {"name": "x"}),
            ("rerollKey", {"expiration": 0}),
            ("addPermissions", {"permissions": ["x"]}),
            ("updateCredits", {"operation": "set", "value": 1}),
        ]:
            refused = vendor.refused(f"keys.{method}", keyId=key_id, **body)
            assert refused.error == "NotFoundErrorResponse"
        assert vendor.refused("keys.whoami", key=key).error == "NotFoundErrorResponse"

    def test_a_rerolled_one_goes_on_in_another(self, vendor: Vendor) -> None:
        key_id, key = vendor.new_key(
            vendor.new_api(), prefix="acme", name="x", credits={"remaining": 9}, permissions=["p"]
        )
        assert vendor.verify(key)["credits"] == 8
        made = vendor.data("keys.rerollKey", keyId=key_id, expiration=60_000)
        assert made["key"].startswith("acme_")
        assert made["keyId"] != key_id
        assert [vendor.verify(each)["code"] for each in (key, made["key"])] == ["VALID", "VALID"]
        shown = vendor.data("keys.getKey", keyId=made["keyId"])
        assert (shown["name"], shown["permissions"]) == ("x", ["p"])
        assert shown["credits"] == {"remaining": 6}
        again = vendor.data("keys.rerollKey", keyId=made["keyId"], expiration=0)
        assert vendor.verify(made["key"])["code"] == "NOT_FOUND"
        assert vendor.verify(again["key"], permissions="p")["code"] == "VALID"
