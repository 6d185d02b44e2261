"""Unkey's official clients ask whether a key may do what is asked: each code, and what is told."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from tests.e2e.unkey.conftest import Vendor


class TestCodes:
    def test_valid_tells_the_key_and_whose_it_is(self, vendor: Vendor) -> None:
        api_id, external_id = vendor.new_api(), f"user-{uuid4()}"
        key_id, key = vendor.new_key(
            api_id,
            name="Production",
            externalId=external_id,
            meta={"plan": "pro"},
            permissions=["documents.read"],
            credits={"remaining": 10},
        )
        verdict = vendor.verify(
            key,
            permissions="documents.read AND (documents.read OR admin)",
            credits={"cost": 3},
            tags=["endpoint=/search"],
            migrationId="mine",
        )
        assert verdict["identity"].pop("id").startswith("id_")
        assert verdict.pop("keyspaceId", "ks_").startswith("ks_")
        assert verdict == {
            "valid": True,
            "code": "VALID",
            "keyId": key_id,
            "name": "Production",
            "meta": {"plan": "pro"},
            "enabled": True,
            "permissions": ["documents.read"],
            "credits": 7,
            "identity": {"externalId": external_id},
        }

    def test_not_found_tells_nothing(self, vendor: Vendor) -> None:
        _, key = vendor.new_key(vendor.new_api())
        for unknown in ("x", "rag_live_" + "0" * 36, key[:-1], vendor.root_key("verify")):
            assert vendor.verify(unknown) == {"valid": False, "code": "NOT_FOUND"}

    def test_disabled_and_expired(self, vendor: Vendor) -> None:
        api_id = vendor.new_api()
        _, key = vendor.new_key(api_id, enabled=False)
        verdict = vendor.verify(key)
        assert (verdict["valid"], verdict["code"]) == (False, "DISABLED")
        expires = time.time_ns() // 1_000_000 + 300
        _, key = vendor.new_key(api_id, expires=expires)
        while (verdict := vendor.verify(key))["code"] == "VALID":
            assert time.time_ns() // 1_000_000 < expires + 10_000
        assert (verdict["valid"], verdict["code"]) == (False, "EXPIRED")
        assert verdict["expires"] == expires

    def test_insufficient_permissions_of_a_query(self, vendor: Vendor) -> None:
        _, key = vendor.new_key(vendor.new_api(), permissions=["a.read", "b"])
        for query, code in [
            ("a.read", "VALID"),
            ("a.read AND b", "VALID"),
            ("(c OR b) AND a.read", "VALID"),
            ("c", "INSUFFICIENT_PERMISSIONS"),
            ("a.read AND c OR c", "INSUFFICIENT_PERMISSIONS"),
        ]:
            verdict = vendor.verify(key, permissions=query)
            assert (verdict["code"], verdict["permissions"]) == (code, ["a.read", "b"])
        # Who has none passes no query, not even where the service's own scopes would pass.
        _, key = vendor.new_key(vendor.new_api())
        assert vendor.verify(key, permissions="query")["code"] == "INSUFFICIENT_PERMISSIONS"

    def test_usage_exceeded_takes_nothing(self, vendor: Vendor) -> None:
        _, key = vendor.new_key(vendor.new_api(), credits={"remaining": 5})
        assert vendor.verify(key, credits={"cost": 4})["credits"] == 1
        refused = vendor.verify(key, credits={"cost": 2})
        assert (refused["valid"], refused["code"], refused["credits"]) == (
            *(False, "USAGE_EXCEEDED"),
            1,
        )
        assert vendor.verify(key)["credits"] == 0
        assert vendor.verify(key)["code"] == "USAGE_EXCEEDED"
        assert vendor.verify(key, credits={"cost": 0})["code"] == "VALID"

    def test_rate_limited_by_one_that_applies_always(self, vendor: Vendor) -> None:
        limit = {"name": "requests", "limit": 2, "duration": 86_400_000, "autoApply": True}
        _, key = vendor.new_key(vendor.new_api(), ratelimits=[limit], credits={"remaining": 9})
        assert [vendor.verify(key)["code"] for _ in range(2)] == ["VALID", "VALID"]
        verdict = vendor.verify(key)
        assert (verdict["valid"], verdict["code"], verdict["credits"]) == (
            *(False, "RATE_LIMITED"),
            7,
        )
        (met,) = verdict["ratelimits"]
        assert met.pop("id").startswith("rl_")
        assert 0 < met.pop("reset") <= 86_400_000
        assert met == {**limit, "exceeded": True, "remaining": 0}

    def test_rate_limited_by_one_that_is_named(self, vendor: Vendor) -> None:
        limit = {"name": "heavy", "limit": 5, "duration": 60_000}
        _, key = vendor.new_key(vendor.new_api(), ratelimits=[limit])
        assert "ratelimits" not in vendor.verify(key)
        named = [{"name": "heavy", "cost": 3}]
        (met,) = vendor.verify(key, ratelimits=named)["ratelimits"]
        assert (met["remaining"], met["exceeded"], met["autoApply"]) == (2, False, False)
        verdict = vendor.verify(key, ratelimits=named)
        assert verdict["code"] == "RATE_LIMITED"
        assert (verdict["ratelimits"][0]["remaining"], verdict["ratelimits"][0]["exceeded"]) == (
            *(2,),
            True,
        )
        assert vendor.verify(key)["code"] == "VALID"

    def test_forbidden_is_a_key_whose_account_is_suspended(self, vendor: Vendor) -> None:
        external_id = f"user-{uuid4()}"
        _, key = vendor.new_key(vendor.new_api(), externalId=external_id)
        root_key = vendor.root_key("accounts")
        response = vendor.service.client.patch(
            f"/api/v1/internal/accounts/ext:{external_id}",
            json={"status": "suspended"},
            headers={"Authorization": f"Bearer {root_key}"},
        )
        assert response.status_code == 200, response.text
        verdict = vendor.verify(key)
        assert (verdict["valid"], verdict["code"]) == (False, "FORBIDDEN")


class TestWhoseKeys:
    def test_keys_made_elsewhere_are_verified_too(self, vendor: Vendor) -> None:
        user = vendor.service.sign_up()
        verdict = vendor.verify(user.api_key, permissions="query")
        assert (verdict["code"], verdict["name"]) == ("VALID", "Primary")
        assert "identity" not in verdict

    def test_one_made_here_opens_what_the_contract_has(self, vendor: Vendor) -> None:
        key_id, key = vendor.new_key(vendor.new_api(), permissions=["docs.read"])
        assert vendor.service.authorize(key) == 200
        response = vendor.service.client.get(
            "/api/v1/authorize?scope=docs.read", headers={"X-API-Key": key}
        )
        assert response.headers["X-Ragauth-Key-Id"] == key_id

    def test_no_plan_limits_it(self, vendor: Vendor) -> None:
        _, key = vendor.new_key(vendor.new_api(), externalId=f"user-{uuid4()}")
        root_key = vendor.root_key("verify")
        codes = {_code_of(vendor, root_key, key) for _ in range(70)}
        assert codes == {"VALID"}


def test_credits_are_taken_exactly_by_all_workers(vendor: Vendor) -> None:
    _, key = vendor.new_key(vendor.new_api(), credits={"remaining": 30})
    root_key = vendor.root_key("verify")
    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda _: _code_of(vendor, root_key, key), range(50)))
    assert sorted(codes) == ["USAGE_EXCEEDED"] * 20 + ["VALID"] * 30


def _code_of(vendor: Vendor, root_key: str, key: str) -> str:
    """Asked past the official client, which would take longer than the service."""
    response: httpx.Response = vendor.service.client.post(
        "/compat/unkey/v2/keys.verifyKey",
        json={"key": key},
        headers={"Authorization": f"Bearer {root_key}"},
    )
    code: str = response.json()["data"]["code"]
    return code


def test_only_keys_of_the_named_keyspaces_are_found(vendor: Vendor) -> None:
    if type(vendor.client).__name__ == "OfNode":
        pytest.skip("this version of the client does not ask so")
    api_id = vendor.new_api()
    _, key = vendor.new_key(api_id, credits={"remaining": 2})
    keyspace_id = vendor.verify(key)["keyspaceId"]
    assert vendor.verify(key, keyspaces=["ks_none"]) == {"valid": False, "code": "NOT_FOUND"}
    assert vendor.verify(key, keyspaces=["ks_none", keyspace_id])["credits"] == 0
