"""What cannot be done is an error of the official clients' own classes, each in Unkey's form."""

import hashlib
from base64 import b64encode
from uuid import uuid4

import pytest

from tests.e2e.unkey.conftest import Vendor

BAD, UNAUTHORIZED, FORBIDDEN, MISSING = (
    f"{name}ErrorResponse" for name in ("BadRequest", "Unauthorized", "Forbidden", "NotFound")
)


class TestRootKeys:
    def test_one_that_does_not_hold_is_401(self, vendor: Vendor) -> None:
        _, key = vendor.new_key(vendor.new_api())
        for root_key in ("unkey_3ZUtPQpXjPWWvsXmLHpSjs", key, "rag_svc_" + "0" * 36):
            refused = vendor.refused("keys.verifyKey", root_key, key=key)
            assert (refused.error, refused.status) == (UNAUTHORIZED, 401)

    def test_one_without_the_scope_is_403(self, vendor: Vendor) -> None:
        verifies, manages = vendor.root_key("verify"), vendor.root_key("keys")
        for method, root_key, body in [
            ("keys.verifyKey", manages, {"key": "x"}),
            ("keys.createKey", verifies, {"apiId": "api_x"}),
            ("apis.createApi", verifies, {"name": "abc"}),
        ]:
            refused = vendor.refused(method, root_key, **body)
            assert (refused.error, refused.status) == (FORBIDDEN, 403)
            assert refused.body["error"]["type"].endswith("/insufficient_permissions")


class TestWhatHasNoPlace:
    @pytest.mark.parametrize(
        ("fields", "location"),
        [
            ({"roles": ["admin"]}, "body.roles"),
            ({"permissions": ["documents.*"]}, "body.permissions[0]"),
            ({"permissions": ["Documents"]}, "body.permissions[0]"),
            (
                {
                    "credits": {
                        "remaining": 1,
                        "refill": {"interval": "monthly", "amount": 9, "refillDay": 15},
                    }
                },
                "body.credits.refill.refillDay",
            ),
            (
                {"credits": {"remaining": None, "refill": {"interval": "daily", "amount": 9}}},
                "body.credits.remaining",
            ),
            ({"ratelimits": [{"name": "a", "limit": 1, "duration": 50}]}, None),
            ({"expires": 1_000}, "body.expires"),
            ({"prefix": "rag_live"}, "body.prefix"),
            ({"meta": {"x": "y" * 5_000}}, "body.meta"),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_it_is_400_and_says_where(
        self, vendor: Vendor, fields: dict[str, object], location: str | None
    ) -> None:
        refused = vendor.refused("keys.createKey", apiId=vendor.new_api(), **fields)
        assert (refused.error, refused.status) == (BAD, 400)
        (fault,) = refused.body["error"]["errors"]
        assert fault["location"] == (location or "body.ratelimits[0].duration")

    def test_a_key_that_would_not_end_is_not_rerolled(self, vendor: Vendor) -> None:
        key_id, _ = vendor.new_key(vendor.new_api())
        refused = vendor.refused("keys.rerollKey", keyId=key_id, expiration=2_592_000_000)
        assert (refused.error, refused.status) == (BAD, 400)

    def test_a_limit_that_a_key_does_not_have_is_not_asked_for(self, vendor: Vendor) -> None:
        _, key = vendor.new_key(vendor.new_api())
        for named in ({"name": "x"}, {"name": "x", "limit": 5, "duration": 1_000}):
            refused = vendor.refused("keys.verifyKey", key=key, ratelimits=[named])
            assert (refused.error, refused.status) == (BAD, 400)

    def test_a_query_that_cannot_be_read_is_400(self, vendor: Vendor) -> None:
        for query in ("a AND", "(a", "a.*", "a, b"):
            refused = vendor.refused("keys.verifyKey", key="x", permissions=query)
            assert refused.body["error"]["errors"][0]["location"] == "body.permissions"

    def test_roles_of_keys_are_400(self, vendor: Vendor) -> None:
        key_id, _ = vendor.new_key(vendor.new_api())
        for method in ("addRoles", "removeRoles", "setRoles"):
            refused = vendor.refused(f"keys.{method}", keyId=key_id, roles=["admin"])
            assert (refused.error, refused.status) == (BAD, 400)


class TestMigration:
    def test_keys_are_taken_over_by_their_hashes(self, vendor: Vendor) -> None:
        keys = [f"old_{uuid4().hex}" for _ in range(4)]
        digests = [hashlib.sha256(key.encode()).digest() for key in keys]
        hashes = [
            digests[0].hex(),
            digests[1].hex().upper(),
            b64encode(digests[2]).decode(),
            b64encode(digests[3], b"-_").decode().rstrip("="),
        ]
        api_id, external_id = vendor.new_api(), f"user-{uuid4()}"
        terms = {
            "name": "Old",
            "externalId": external_id,
            "meta": {"a": 1},
            "permissions": ["p"],
            "credits": {"remaining": 2, "refill": {"interval": "daily", "amount": 9}},
            "ratelimits": [{"name": "r", "limit": 5, "duration": 60_000, "autoApply": True}],
        }
        body = {
            "migrationId": "mine",
            "apiId": api_id,
            "keys": [{"hash": hashes[0], **terms}, *({"hash": one} for one in hashes[1:])],
        }
        done = vendor.data("keys.migrateKeys", **body)
        assert {each["hash"] for each in done["migrated"]} == set(hashes)
        assert done["failed"] == []
        by_hash = {each["hash"]: each["keyId"] for each in done["migrated"]}
        shown = vendor.data("keys.getKey", keyId=by_hash[hashes[0]])
        assert shown["identity"]["externalId"] == external_id
        assert (shown["name"], shown["meta"], shown["credits"]) == (
            *("Old", {"a": 1}),
            terms["credits"],
        )
        for key, text in zip(keys, hashes, strict=True):
            assert vendor.verify(key)["keyId"] == by_hash[text]
        assert vendor.verify(keys[0], permissions="p")["credits"] == 0
        again = vendor.data("keys.migrateKeys", **body)
        assert (again["migrated"], set(again["failed"])) == ([], set(hashes))

    def test_a_list_of_more_than_64_kib_is_read(self, vendor: Vendor) -> None:
        api_id = vendor.new_api()
        hashes = [hashlib.sha256(uuid4().bytes).hexdigest() for _ in range(1_000)]
        meta = {"note": "x" * 60}
        done = vendor.data(
            "keys.migrateKeys",
            migrationId="mine",
            apiId=api_id,
            keys=[{"hash": one, "meta": meta} for one in hashes],
        )
        assert len(done["migrated"]) == 1_000

    def test_what_is_no_hash_is_400_and_nothing_is_taken_over(self, vendor: Vendor) -> None:
        good = hashlib.sha256(uuid4().bytes).hexdigest()
        refused = vendor.refused(
            "keys.migrateKeys",
            migrationId="mine",
            apiId=vendor.new_api(),
            keys=[{"hash": good}, {"hash": "md5"}],
        )
        assert refused.body["error"]["errors"][0]["location"] == "body.keys[1].hash"
