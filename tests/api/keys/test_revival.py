"""No way back to life past the plan: a key in its grace, an expired one, a missing primary."""

import pytest
import time_machine

from tests.clients import Client, error, issues, ok

TRIAL_KEYS = 5
KEYS = "/api/auth/api-keys"


@pytest.mark.both_databases
def test_a_key_in_its_grace_cannot_be_made_to_live_on(client: Client) -> None:
    member = client.sign_up()
    key = member.create_key()
    ok(member.client.post(f"{KEYS}/{key['id']}/rotate", {"grace_seconds": 60}), 201)
    for later in (None, "2999-01-01T00:00:00Z"):
        response = member.client.patch(f"{KEYS}/{key['id']}", {"expires_at": later})
        error(response, 409, "CONFLICT")
    ok(member.client.patch(f"{KEYS}/{key['id']}", {"name": "on its way out"}))


def test_an_expired_key_comes_back_only_where_there_is_room(client: Client) -> None:
    with time_machine.travel("2027-01-01T00:00:00Z", tick=False) as traveller:
        member = client.sign_up()
        old = member.create_key(expires_at="2027-01-01T00:00:10Z")
        traveller.shift(11)
        for _ in range(TRIAL_KEYS - 1):
            member.create_key()
        revival = {"expires_at": None}
        response = member.client.patch(f"{KEYS}/{old['id']}", revival)
        error(response, 429, "USAGE_LIMIT_EXCEEDED")
        [some, *_] = ok(member.client.get(KEYS))
        ok(member.client.delete(f"{KEYS}/{some['id']}"), 204)
        ok(member.client.patch(f"{KEYS}/{old['id']}", revival))


def test_an_expired_key_has_no_successor(client: Client) -> None:
    with time_machine.travel("2027-01-01T00:00:00Z", tick=False) as traveller:
        member = client.sign_up()
        key = member.create_key(expires_at="2027-01-01T00:00:10Z")
        traveller.shift(10)
        error(member.client.post(f"{KEYS}/{key['id']}/rotate"), 404, "NOT_FOUND")


def test_a_primary_key_needs_room_where_there_was_none(client: Client) -> None:
    member = client.sign_up()
    [primary] = ok(member.client.get(KEYS))
    ok(member.client.delete(f"{KEYS}/{primary['id']}"), 204)
    for _ in range(TRIAL_KEYS):
        member.create_key()
    response = member.client.post("/api/auth/api-key/regenerate")
    error(response, 429, "USAGE_LIMIT_EXCEEDED")


def test_a_regenerated_key_is_restricted_as_the_old_one_was(client: Client) -> None:
    member = client.sign_up()
    [primary] = ok(member.client.get(KEYS))
    limits = {"scopes": ["query"], "allowed_ips": ["203.0.113.0/24"], "name": "CI"}
    ok(member.client.patch(f"{KEYS}/{primary['id']}", limits))
    key = ok(member.client.post("/api/auth/api-key/regenerate"))["key"]
    assert {name: key[name] for name in limits} == limits
    assert key["is_active"]


def test_an_ipv4_network_in_ipv6_words_is_the_ipv4_network(client: Client) -> None:
    key = client.sign_up().create_key(allowed_ips=["::ffff:127.0.0.0/104"])
    assert key["allowed_ips"] == ["127.0.0.0/8"]
    assert client.as_key(key["api_key"]).get("/api/v1/authorize").status_code == 200


def test_one_character_that_folds_to_a_sentence_is_no_address(client: Client) -> None:
    body = {"email": "\ufdfa" * 30 + "@example.test", "password": "an otter in the reeds"}
    assert set(issues(client.post("/api/auth/signup", body))) == {("email",)}
