"""keys.migrateKeys, where the clients see no more of it."""

import hashlib
from typing import Any
from uuid import uuid4

import pytest

from tests.clients import Client, ok
from tests.compat.unkey.test_wording import V2, problem
from tests.factories.api_keys import make_service_key


@pytest.fixture
def root(faces: Client) -> Client:
    return faces.as_user(make_service_key(faces.app, "verify", "keys", "accounts"))


def data(root: Client, method: str, **body: Any) -> Any:
    response = root.post(f"{V2}/{method}", body)
    assert response.status_code == 200, response.text
    return response.get_json()["data"]


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def migrate(root: Client, *keys: dict[str, Any], api_id: str | None = None) -> Any:
    api_id = api_id or data(root, "apis.createApi", name="old")["apiId"]
    return data(root, "keys.migrateKeys", apiId=api_id, migrationId="mine", keys=list(keys))


def test_a_key_is_found_at_once_by_who_has_just_said_that_there_is_none(root: Client) -> None:
    key = f"old_{uuid4().hex}"
    assert data(root, "keys.verifyKey", key=key)["code"] == "NOT_FOUND"
    migrate(root, {"hash": digest(key)})
    assert data(root, "keys.verifyKey", key=key)["code"] == "VALID"


@pytest.mark.both_databases
def test_of_a_hash_that_stands_there_twice_the_first_counts(root: Client) -> None:
    key = f"old_{uuid4().hex}"
    done = migrate(
        root, {"hash": digest(key), "name": "a"}, {"hash": digest(key).upper(), "name": "b"}
    )
    assert [each["hash"] for each in done["migrated"]] == [digest(key)]
    assert done["failed"] == [digest(key).upper()]
    assert data(root, "keys.whoami", key=key)["name"] == "a"


@pytest.mark.both_databases
def test_what_is_told_has_the_order_of_what_was_sent(root: Client) -> None:
    hashes = [digest(uuid4().hex) for _ in range(40)]
    done = migrate(root, *({"hash": one} for one in hashes))
    assert [each["hash"] for each in done["migrated"]] == hashes


def test_keys_are_managed_and_in_the_history_of_their_accounts(root: Client) -> None:
    key = f"old_{uuid4().hex}"
    done = migrate(root, {"hash": digest(key), "externalId": "c-17", "enabled": False})
    (listed,) = ok(root.get("/api/v1/internal/accounts/ext:c-17/api-keys"))
    assert (listed["id"], listed["managed"]) == (done["migrated"][0]["keyId"], True)
    assert data(root, "keys.verifyKey", key=key)["code"] == "DISABLED"


def test_an_expired_key_may_come_along(root: Client) -> None:
    key = f"old_{uuid4().hex}"
    migrate(root, {"hash": digest(key), "expires": 1_000})
    assert data(root, "keys.verifyKey", key=key)["code"] == "EXPIRED"


def test_more_than_a_thousand_are_a_fault_and_more_than_256_kib_too_large(root: Client) -> None:
    api_id = data(root, "apis.createApi", name="old")["apiId"]
    body = {"apiId": api_id, "migrationId": "mine"}
    many = [{"hash": digest(str(number))} for number in range(1_001)]
    response = root.post(f"{V2}/keys.migrateKeys", {**body, "keys": many})
    (fault,) = problem(response, 400, "unkey/application/invalid_input")["errors"]
    assert fault == {"location": "body.keys", "message": "Must have 1 to 1000 entries"}
    large = [{"hash": digest("x"), "meta": {"a": "x" * 270_000}}]
    response = root.post(f"{V2}/keys.migrateKeys", {**body, "keys": large})
    assert "256 KiB" in problem(response, 413, "user/bad_request/request_body_too_large")["detail"]


def test_no_key_of_a_deleted_api_is_taken_over(root: Client) -> None:
    api_id = data(root, "apis.createApi", name="old")["apiId"]
    data(root, "apis.deleteApi", apiId=api_id)
    body = {"apiId": api_id, "migrationId": "mine", "keys": [{"hash": digest("x")}]}
    problem(root.post(f"{V2}/keys.migrateKeys", body), 404, "unkey/data/api_not_found")
