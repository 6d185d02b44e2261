"""Managed keys: made by a service of the operator's, seen and revoked by their owner."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from ragauth.security.identifiers import KEY as KEY_KIND
from ragauth.security.identifiers import decode_id
from tests.cases import for_each
from tests.clients import Client, Member, assert_same_answer, error, issues, ok
from tests.factories.accounts import suspend
from tests.factories.api_keys import make_service_key
from tests.factories.mails import confirm_address, receive_mail
from tests.factories.policies import USUAL, own_scopes

INTERNAL = "/api/v1/internal"
OWN = "/api/auth/api-keys"
NO_KEY = "key_01h455vb4pex5vsknk084sn02q"
NO_ACCOUNT = "acc_01h455vb4pex5vsknk084sn02q"


@pytest.fixture
def service(client: Client) -> Client:
    return service_of(client.app)


def service_of(app: Flask) -> Client:
    return Client(app).as_key(make_service_key(app, "keys", "accounts"))


def make(service: Client, member: Member, **fields: Any) -> dict[str, Any]:
    path = f"{INTERNAL}/accounts/{member.id}/api-keys"
    data: dict[str, Any] = ok(service.post(path, {"name": "managed", **fields}), 201)
    return data


def works(client: Client, key: dict[str, Any]) -> bool:
    return client.as_key(key["api_key"]).get("/api/v1/authorize").status_code == 200


def refused(response: Any) -> None:
    error(response, 403, "AUTHORIZATION_ERROR", "insufficient_scope")
    message = "The key is your provider's: you may see and revoke it only"
    assert response.get_json()["error"]["message"] == message
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


class TestItsOwner:
    def test_sees_it_and_revokes_it(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        key = make(service, member, metadata={"a": 1})
        raw_key = key.pop("api_key")
        assert key["managed"] is True
        assert ok(member.client.get(f"{OWN}/{key['id']}")) == key
        assert ok(member.client.get(OWN))[0] == key
        assert ok(client.as_key(raw_key).get("/api/v1/me"))["key"] == key
        ok(member.client.delete(f"{OWN}/{key['id']}"), 204)
        assert not works(client, {"api_key": raw_key})
        path = f"{INTERNAL}/api-keys/{key['id']}"
        error(service.get(path), 404, "NOT_FOUND")
        assert ok(service.get(f"{path}?include_revoked=true"))["is_active"] is False

    @for_each(
        "changes",
        [{}, {"name": "x"}, {"is_active": False}, {"expires_at": None}, {"scopes": ["query"]}],
    )
    def test_changes_nothing_of_it(
        self, client: Client, service: Client, changes: dict[str, Any]
    ) -> None:
        member = client.sign_up()
        key = make(service, member, expires_at="2999-01-01T00:00:00Z")
        path = f"{OWN}/{key['id']}"
        before = ok(member.client.get(path))
        refused(member.client.patch(path, changes))
        assert ok(member.client.get(path)) == before

    def test_rotates_and_regenerates_it_not(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        key = make(service, member)
        for body in ({}, {"grace_seconds": 60}):
            refused(member.client.post(f"{OWN}/{key['id']}/rotate", body))
        issued = ok(member.client.post("/api/auth/api-key/regenerate"))
        assert works(client, key)
        assert issued["key"]["managed"] is False

    def test_regenerates_none_that_the_operator_put_in_the_place_of_the_primary_one(
        self, client: Client, service: Client
    ) -> None:
        member = client.sign_up()
        [primary] = ok(member.client.get(OWN))
        path = f"{INTERNAL}/api-keys/{primary['id']}/rotate"
        new = ok(service.post(path, {"grace_seconds": 60}), 201)
        assert (new["managed"], new["is_primary"]) == (True, False)
        issued = ok(member.client.post("/api/auth/api-key/regenerate"))
        assert issued["key"]["is_primary"] is True
        assert [works(client, key) for key in (new, issued)] == [True, True]

    def test_kills_it_with_its_agent(self, client: Client, service: Client) -> None:
        """Deleting an agent is revoking its keys."""
        member = client.sign_up()
        agent = member.create_agent()
        key = make(service, member, agent_id=agent["id"])
        path = f"/api/agents/{agent['id']}"
        assert ok(member.client.get(f"{path}/api-keys"))[0]["managed"] is True
        ok(member.client.patch(path, {"name": "new"}))
        ok(member.client.delete(path), 204)
        assert not works(client, key)

    def test_has_the_same_rights_at_other_vendors_faces(
        self, service: Client, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        one, other = (make(service, member, agent_id=agent["id"]) for _ in range(2))
        faces = Client(make_app(compat=("ragchats", "rst"))).as_user(member.token)
        agent_id, key_id = (
            decode_id(kind, text) for kind, text in (("agt", agent["id"]), (KEY_KIND, one["id"]))
        )
        path = f"/compat/ragchats/api/agents/{agent_id}/api-keys/"
        assert str(key_id) in faces.get(path).text
        assert str(key_id) in faces.get("/compat/rst/v1/auth/api-keys").text
        path = f"/compat/rst/v1/auth/api-keys/{key_id}"
        assert faces.delete(path).status_code == 204
        assert [works(client, key) for key in (one, other)] == [False, True]
        # Nothing else is to be had there.
        assert {faces.request(way, path).status_code for way in ("PATCH", "PUT", "POST")} == {405}

    def test_gets_no_mail_of_it_and_sees_it_in_the_history(
        self, app: Flask, client: Client, service: Client
    ) -> None:
        member = client.sign_up()
        confirm_address(member)
        receive_mail(app)
        key = make(service, member)
        path = f"{INTERNAL}/api-keys/{key['id']}"
        ok(service.patch(path, {"name": "new"}))
        new = ok(service.post(f"{path}/rotate"), 201)
        ok(service.delete(f"{INTERNAL}/api-keys/{new['id']}"), 204)
        assert receive_mail(app) == []
        events = ok(member.client.get("/api/auth/events"))[:4]
        assert [event["name"] for event in events] == [
            *("api_key:revoked", "api_key:rotated", "api_key:changed", "api_key:created")
        ]
        assert events[3]["details"] == {"key_id": key["id"], "prefix": key["prefix"]}


class TestTheOperator:
    def test_manages_an_owners_key_too(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        own = member.create_key()
        path = f"{INTERNAL}/api-keys/{own['id']}"
        changed = ok(service.patch(path, {"name": "renamed"}))
        assert (changed["name"], changed["managed"]) == ("renamed", False)
        ok(member.client.patch(f"{OWN}/{own['id']}", {"name": "mine"}))
        new = ok(service.post(f"{path}/rotate", {"grace_seconds": 60}), 201)
        assert new["managed"] is True
        # The owner's own one is in its grace, and still the owner's.
        ok(member.client.patch(f"{OWN}/{own['id']}", {"name": "old"}))
        ok(service.delete(f"{INTERNAL}/api-keys/{new['id']}"), 204)
        assert [works(client, key) for key in (own, new)] == [True, False]

    def test_manages_the_keys_of_a_suspended_account(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        suspend(member)
        key = make(service, member)
        path = f"{INTERNAL}/api-keys/{key['id']}"
        ok(service.patch(path, {"name": "new"}))
        new = ok(service.post(f"{path}/rotate"), 201)
        response = client.as_key(new["api_key"]).get("/api/v1/authorize")
        error(response, 403, "AUTHORIZATION_ERROR", "account_suspended")
        ok(service.delete(f"{INTERNAL}/api-keys/{new['id']}"), 204)

    def test_a_successor_in_managed_hands_stays_there(
        self, client: Client, service: Client
    ) -> None:
        """S45: one predecessor in grace at most."""
        key = make(service, client.sign_up(), name="first")
        keys = [key]
        for _ in range(2):
            path = f"{INTERNAL}/api-keys/{keys[-1]['id']}/rotate"
            keys.append(ok(service.post(path, {"grace_seconds": 60}), 201))
        assert [one["managed"] for one in keys] == [True] * 3
        assert [works(client, one) for one in keys] == [False, True, True]


class TestWhatIsNotThere:
    """S25"""

    def test_a_services_key_an_erased_accounts_and_no_key_are_one_answer(
        self, client: Client, service: Client
    ) -> None:
        services = _id_of_a_service_key(client.app)
        member = client.sign_up()
        [primary] = ok(member.client.get(OWN))
        ok(service.delete(f"{INTERNAL}/accounts/{member.id}"), 204)
        for method, below, body in (
            *(("GET", "", None), ("GET", "?include_revoked=true", None), ("PATCH", "", {})),
            *(("POST", "/rotate", {}), ("DELETE", "", None)),
        ):
            options = {} if body is None else {"json": body}
            answers = [
                service.request(method, f"{INTERNAL}/api-keys/{key_id}{below}", **options)
                for key_id in (NO_KEY, services, primary["id"])
            ]
            error(answers[0], 404, "NOT_FOUND")
            for answer in answers[1:]:
                assert_same_answer(answer, answers[0])
        ok(service.get(f"{INTERNAL}/accounts"))

    @pytest.mark.both_databases
    def test_an_erased_account_and_no_account_are_one_answer(
        self, client: Client, service: Client
    ) -> None:
        member = client.sign_up()
        ok(service.delete(f"{INTERNAL}/accounts/{member.id}"), 204)
        for method, body in (("GET", None), ("POST", {"name": "x"})):
            options = {} if body is None else {"json": body}
            one, other = (
                service.request(method, f"{INTERNAL}/accounts/{account}/api-keys", **options)
                for account in (NO_ACCOUNT, member.id)
            )
            error(one, 404, "NOT_FOUND")
            assert_same_answer(one, other)

    def test_another_accounts_agent_and_no_agent_are_one_answer(
        self, client: Client, service: Client
    ) -> None:
        member, other = client.sign_up(), client.sign_up()
        path = f"{INTERNAL}/accounts/{member.id}/api-keys"
        agents = ("agt_01h455vb4pex5vsknk084sn02q", other.create_agent()["id"])
        for ask in (
            lambda agent: service.post(path, {"name": "x", "agent_id": agent}),
            lambda agent: service.get(f"{path}?agent_id={agent}"),
        ):
            nothing, theirs = map(ask, agents)
            error(nothing, 404, "NOT_FOUND")
            assert_same_answer(theirs, nothing)


def _id_of_a_service_key(app: Flask) -> str:
    key = make_service_key(app, "verify")
    return str(ok(Client(app).as_key(key).get("/api/v1/me"))["key"]["id"])


class TestScopes:
    @pytest.fixture
    def app_of(self, make_app: Callable[..., Flask]) -> Callable[[bool], Flask]:
        return lambda is_open: make_app(policy=own_scopes(open_scopes=is_open))

    def test_it_may_have_those_of_operators(self, app_of: Callable[[bool], Flask]) -> None:
        app = app_of(False)
        service, member = service_of(app), Client(app).sign_up()
        key = make(service, member, scopes=["train", *USUAL])
        asked = Client(app).as_key(key["api_key"]).get("/api/v1/authorize?scope=train")
        assert asked.status_code == 200
        path = f"{INTERNAL}/api-keys/{key['id']}"
        assert ok(service.patch(path, {"scopes": ["train"]}))["scopes"] == ["train"]
        own = f"{INTERNAL}/api-keys/{member.create_key()['id']}"
        assert ok(service.patch(own, {"scopes": ["train"]}))["scopes"] == ["train"]
        message = f"Must be one of: {', '.join([*USUAL, 'train'])}"
        for answer in (
            service.patch(path, {"scopes": ["free:one"]}),
            service.post(f"{INTERNAL}/accounts/{member.id}/api-keys", {"scopes": ["free:one"]}),
        ):
            assert issues(answer)["scopes", 0] == message

    def test_null_includes_none_of_operators(self, app_of: Callable[[bool], Flask]) -> None:
        app = app_of(True)
        key = make(service_of(app), Client(app).sign_up(), scopes=None)
        asked = Client(app).as_key(key["api_key"]).get("/api/v1/authorize?scope=train")
        error(asked, 403, "AUTHORIZATION_ERROR", "insufficient_scope")

    def test_open_ones_are_for_managed_keys_alone(self, app_of: Callable[[bool], Flask]) -> None:
        app = app_of(True)
        service, member = service_of(app), Client(app).sign_up()
        key = make(service, member, scopes=["free:one", "read"])
        asked = Client(app).as_key(key["api_key"]).get("/api/v1/authorize?scope=free:one")
        assert asked.status_code == 200
        path = f"{INTERNAL}/api-keys/{key['id']}"
        assert ok(service.patch(path, {"scopes": ["free:two"]}))["scopes"] == ["free:two"]
        for scope in ("Free", "", "free one", "x" * 51):
            assert set(issues(service.patch(path, {"scopes": [scope]}))) == {("scopes", 0)}
        own = member.create_key(scopes=["read"])
        response = service.patch(f"{INTERNAL}/api-keys/{own['id']}", {"scopes": ["free:one"]})
        assert set(issues(response)) == {("scopes",)}

    def test_a_publishable_one_has_what_an_owners_may(
        self, app_of: Callable[[bool], Flask]
    ) -> None:
        app = app_of(True)
        service, member = service_of(app), Client(app).sign_up()
        body = {
            "name": "x",
            "kind": "publishable",
            "allowed_origins": ["https://shop.example.com"],
            "agent_id": member.create_agent()["id"],
        }
        path = f"{INTERNAL}/accounts/{member.id}/api-keys"
        for scope in ("train", "free:one", "billing"):
            assert set(issues(service.post(path, {**body, "scopes": [scope]}))) == {("scopes",)}
        assert ok(service.post(path, body), 201)["scopes"] == ["read", "suggest"]


class TestRequiresAServiceKey:
    @for_each("scope", ["verify", "usage", "accounts", "webhooks"])
    def test_with_the_scope_keys(self, client: Client, scope: str) -> None:
        other = client.as_key(make_service_key(client.app, scope))
        member = client.sign_up()
        for caller, status, code, reason in (
            (other, 403, "AUTHORIZATION_ERROR", "insufficient_scope"),
            (member.key_client, 401, "AUTHENTICATION_ERROR", "wrong_credential_type"),
            (member.client, 401, "AUTHENTICATION_ERROR", "wrong_credential_type"),
            (client, 401, "AUTHENTICATION_ERROR", "missing"),
        ):
            for method, path in (
                *((way, f"/accounts/{member.id}/api-keys") for way in ("GET", "POST")),
                *((way, f"/api-keys/{NO_KEY}") for way in ("GET", "PATCH", "DELETE")),
                ("POST", f"/api-keys/{NO_KEY}/rotate"),
            ):
                error(caller.request(method, f"{INTERNAL}{path}"), status, code, reason)


@pytest.mark.both_databases
def test_of_twenty_at_once_by_both_ways_no_more_than_the_plan_has(
    client: Client, service: Client
) -> None:
    """S45: one lock for all who make keys of an account."""
    member = client.sign_up()
    barrier = Barrier(20)
    ways = [(member.client, OWN), (service, f"{INTERNAL}/accounts/{member.id}/api-keys")] * 10

    def ask(way: tuple[Client, str]) -> int:
        barrier.wait()
        return way[0].post(way[1], {"name": "x"}).status_code

    with ThreadPoolExecutor(20) as threads:
        statuses = sorted(threads.map(ask, ways))
    assert statuses == [201] * 4 + [429] * 16
    assert len(ok(member.client.get(OWN))) == 5
