"""GET /api/auth/limits?key_id=: what is left of a key's own limits, told to its owner."""

from typing import Any

from tests.api.metering.asking import authorize, limit
from tests.cases import for_each
from tests.clients import Client, Member, error, ok

PATH = "/api/auth/limits"
OWN = (
    limit("requests", "minute", 10),
    limit("tokens", "total", 500),
    limit("tokens", "10s", 70, name="burst", applies="named"),
)


def quotas(member: Member, key_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(member.client.get(f"{PATH}?key_id={key_id}"))["quotas"]
    return found


def own_use(member: Member, key_id: str) -> list[tuple[Any, ...]]:
    return [
        (one["meter"], one["window"], one["name"], one["used"], one["remaining"])
        for one in quotas(member, key_id)
        if one["of"] == "key"
    ]


@for_each("environment", ["live", "test"])
def test_they_stand_beside_the_accounts(member: Member, environment: str) -> None:
    made = member.create_key(limits=[*OWN], environment=environment)
    caller = Client(member.client.app).as_key(made["api_key"])
    assert authorize(caller, "use=tokens:60&limit=burst").status_code == 200
    assert own_use(member, made["id"]) == [
        ("requests", "minute", None, 1, 9),
        ("tokens", "total", None, 60, 440),
        ("tokens", "10s", "burst", 60, 10),
    ]
    told = quotas(member, made["id"])
    assert {one["environment"] for one in told if one["of"] == "key"} == {environment}
    assert next(one for one in told if one["window"] == "total")["resets_at"] is None
    accounts = [one for one in told if one["of"] == "account"]
    assert accounts == ok(member.client.get(PATH))["quotas"]


def test_a_successor_goes_on_and_a_revoked_one_is_still_told(member: Member) -> None:
    made = member.create_key(limits=[*OWN])
    caller = Client(member.client.app).as_key(made["api_key"])
    assert authorize(caller, "use=tokens:60").status_code == 200
    keys = "/api/auth/api-keys"
    successor = ok(member.client.post(f"{keys}/{made['id']}/rotate", json={}), 201)
    for key_id in (successor["id"], made["id"]):
        assert ("tokens", "total", None, 60, 440) in own_use(member, key_id)
    assert member.client.delete(f"{keys}/{successor['id']}").status_code == 204
    assert ("tokens", "total", None, 60, 440) in own_use(member, successor["id"])


def test_anothers_key_is_no_key(member: Member) -> None:
    other = Client(member.client.app).sign_up()
    made = other.create_key(limits=[*OWN])
    for key_id in (made["id"], f"key_{'0' * 26}"):
        error(member.client.get(f"{PATH}?key_id={key_id}"), 404, "NOT_FOUND")
    error(member.client.get(f"{PATH}?key_id=nonsense"), 400, "VALIDATION_ERROR")
