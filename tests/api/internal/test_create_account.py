"""POST and DELETE of /api/v1/internal/accounts: accounts of customers who log in elsewhere."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from tests.cases import for_each
from tests.clients import Client, assert_same_answer, error, issues, ok
from tests.factories.api_keys import make_service_key
from tests.factories.commands import run
from tests.factories.mails import receive_mail, receive_one

ACCOUNTS = "/api/v1/internal/accounts"
NO_ACCOUNT = f"{ACCOUNTS}/acc_01h455vb4pex5vsknk084sn02q"
EMAIL = "Owner@Example.com"
NEW = "an otter in the reeds"


@pytest.fixture
def service(client: Client) -> Client:
    return client.as_key(make_service_key(client.app, "accounts", "keys"))


def history(app: Flask, account_id: str) -> list[str]:
    lines = run(app, "events", "export", "--account", account_id).splitlines()
    return [line.split('"name": "')[1].split('"')[0] for line in lines]


class TestSucceeds:
    @pytest.mark.both_databases
    def test_an_external_id_is_enough(self, app: Flask, service: Client) -> None:
        made = ok(service.post(ACCOUNTS, {"external_id": "c-17"}), 201)
        assert made == {
            **dict.fromkeys(("email", "username", "name", "limits", "metadata")),
            "id": made["id"],
            "external_id": "c-17",
            "plan": "trial",
            "status": "active",
            "email_verified": False,
            "created_at": made["created_at"],
        }
        assert ok(service.get(f"{ACCOUNTS}/{made['id']}")) == made
        assert ok(service.get(f"{ACCOUNTS}?external_id=c-17")) == [made]
        assert history(app, made["id"]) == ["account:created"]
        assert receive_mail(app) == []
        assert ok(service.get(f"{ACCOUNTS}/{made['id']}/api-keys")) == []

    def test_everything_can_be_said(self, service: Client) -> None:
        fields = {
            "external_id": "c/17",
            "email": f" {EMAIL} ",
            "name": "Ada",
            "plan": "pro",
            "metadata": {"crm": [1]},
            "limits": [{"meter": "requests", "window": "minute", "size": 7}],
        }
        made = ok(service.post(ACCOUNTS, fields), 201)
        assert {name: made[name] for name in fields} == {**fields, "email": EMAIL}
        body = {"name": "first"}
        key = ok(service.post(f"{ACCOUNTS}/{made['id']}/api-keys", body), 201)["api_key"]
        me = ok(service.as_key(key).get("/api/v1/me"))
        assert me["limits"]["requests_per_minute"] == 7
        assert me["account"]["email"] == EMAIL

    def test_null_stands_for_nothing_said(self, service: Client) -> None:
        nothing = dict.fromkeys(("email", "name", "metadata", "limits"))
        assert ok(service.post(ACCOUNTS, {"external_id": "a", **nothing}), 201)["email"] is None
        ok(service.post(ACCOUNTS, {"external_id": None, "email": EMAIL}), 201)

    def test_without_an_address_it_is_told_as_null_everywhere(
        self, service: Client, client: Client
    ) -> None:
        made = ok(service.post(ACCOUNTS, {"external_id": "c-17"}), 201)
        path = f"{ACCOUNTS}/{made['id']}/api-keys"
        raw_key = ok(service.post(path, {"name": "k"}), 201)["api_key"]
        holder = client.as_key(raw_key)
        assert ok(holder.get("/api/v1/me"))["account"]["email"] is None
        assert holder.get("/api/v1/authorize").status_code == 200
        app = client.app
        assert "c-17" in run(app, "accounts", "show", made["id"])
        assert made["id"] in run(app, "accounts", "list")
        assert run(app, "accounts", "suspend", made["id"]) == "ext:c-17 is suspended\n"
        assert run(app, "keys", "list", "ext:c-17", "--json") != "[]\n"

    def test_at_another_vendors_face_it_has_a_username_all_the_same(
        self, service: Client, make_app: Callable[..., Flask]
    ) -> None:
        made = ok(service.post(ACCOUNTS, {"external_id": "c-17"}), 201)
        raw_key = ok(service.post(f"{ACCOUNTS}/{made['id']}/api-keys", {"name": "k"}), 201)[
            "api_key"
        ]
        face = Client(make_app(compat=("rst",))).as_key(raw_key)
        told = face.get("/compat/rst/v1/me").get_json()
        assert (told["email"], told["username"], told["full_name"]) == (None, told["id"], "")

    def test_the_two_ways_to_the_same_name_are_one(self, client: Client, service: Client) -> None:
        """Whoever signs up with an address finds it taken by an account that was made for it."""
        ok(service.post(ACCOUNTS, {"email": EMAIL}), 201)
        body = {"email": EMAIL.lower(), "password": NEW}
        error(client.post("/api/auth/signup", body), 409, "CONFLICT")


@pytest.mark.both_databases
class TestLoggingIn:
    def test_nobody_does_until_the_owner_of_the_address_sets_a_password(
        self, app: Flask, client: Client, service: Client
    ) -> None:
        """S42: the reset confirms the address; managed keys and their agents stay."""
        made = ok(service.post(ACCOUNTS, {"email": EMAIL, "external_id": "c-17"}), 201)
        key = ok(service.post(f"{ACCOUNTS}/{made['id']}/api-keys", {"name": "k"}), 201)
        login = {"email": EMAIL, "password": NEW}
        refused = client.post("/api/auth/login", login)
        assert_same_answer(
            refused, client.post("/api/auth/login", {**login, "email": "no@example.com"})
        )
        error(refused, 401, "AUTHENTICATION_ERROR", "invalid")
        ok(client.post("/api/auth/password/forgot", {"email": EMAIL}), 202)
        token = receive_one(app, "Set a new password").token
        body = {"token": token, "new_password": NEW}
        ok(client.post("/api/auth/password/reset", body), 204)
        owner = client.as_user(ok(client.post("/api/auth/login", login))["token"])
        me = ok(owner.get("/api/auth/me"))
        assert (me["id"], me["email_verified"]) == (made["id"], True)
        assert [one["id"] for one in ok(owner.get("/api/auth/api-keys"))] == [key["id"]]
        assert client.as_key(key["api_key"]).get("/api/v1/authorize").status_code == 200


@pytest.mark.both_databases
class TestTaken:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"external_id": "c-17"}, "An account with this external id already exists"),
            ({"email": EMAIL.upper()}, "An account with this email already exists"),
        ],
    )
    def test_what_another_account_has_is_409(
        self, service: Client, body: dict[str, Any], message: str
    ) -> None:
        ok(service.post(ACCOUNTS, {"external_id": "c-17", "email": EMAIL}), 201)
        refused = service.post(ACCOUNTS, {"external_id": "other", **body})
        error(refused, 409, "CONFLICT")
        assert refused.get_json()["error"]["message"] == message
        assert len(ok(service.get(ACCOUNTS))) == 1

    @pytest.mark.parametrize("body", [{"external_id": "c-17"}, {"email": EMAIL}])
    def test_of_twenty_at_once_exactly_one_makes_it(
        self, service: Client, body: dict[str, Any]
    ) -> None:
        barrier = Barrier(20)

        def make(_number: int) -> int:
            barrier.wait()
            return service.post(ACCOUNTS, body).status_code

        with ThreadPoolExecutor(20) as threads:
            statuses = sorted(threads.map(make, range(20)))
        assert statuses == [201] + [409] * 19
        assert len(ok(service.get(ACCOUNTS))) == 1


class TestRejectsInput:
    def test_it_needs_one_name_and_says_so_at_both(self, service: Client) -> None:
        message = "Give external_id or email, or both"
        for body in ({}, {"name": "Ada"}, {"email": None, "external_id": None}):
            assert issues(service.post(ACCOUNTS, body)) == {
                ("external_id",): message,
                ("email",): message,
            }

    def test_all_faults_are_named_at_once(self, service: Client) -> None:
        body = {
            "external_id": " a",
            "email": "nobody",
            "name": "\u202e",
            "plan": None,
            "metadata": [],
            "limits": {},
            "password": NEW,
        }
        assert {path for (path, *_) in issues(service.post(ACCOUNTS, body))} == set(body)

    def test_a_plan_that_is_not_there_makes_nothing(self, service: Client) -> None:
        body = {"external_id": "c-17", "plan": "gold"}
        assert set(issues(service.post(ACCOUNTS, body))) == {("plan",)}
        assert ok(service.get(ACCOUNTS)) == []


class TestErases:
    @pytest.mark.both_databases
    def test_its_keys_and_sessions_are_dead_at_once(self, client: Client, service: Client) -> None:
        """S20"""
        member = client.sign_up()
        path = f"{ACCOUNTS}/{member.id}"
        managed = ok(service.post(f"{path}/api-keys", {"name": "k"}), 201)
        ok(service.patch(path, {"external_id": "c-17"}))
        nothing = service.delete(NO_ACCOUNT)
        error(nothing, 404, "NOT_FOUND")
        ok(service.delete(path), 204)
        for caller in (member.key_client, client.as_key(managed["api_key"])):
            error(caller.get("/api/v1/authorize"), 401, "AUTHENTICATION_ERROR", "revoked")
        error(member.client.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        for answer in (service.delete(path), service.get(path), service.get(f"{path}/api-keys")):
            assert_same_answer(answer, nothing)
        # And its names are free.
        ok(service.post(ACCOUNTS, {"external_id": "c-17", "email": member.email}), 201)

    def test_a_suspended_one_too(self, service: Client) -> None:
        path = f"{ACCOUNTS}/{ok(service.post(ACCOUNTS, {'external_id': 'a'}), 201)['id']}"
        ok(service.patch(path, {"status": "suspended"}))
        ok(service.delete(path), 204)

    @pytest.mark.both_databases
    def test_no_key_of_it_is_made_or_changed_at_the_same_instant(
        self, client: Client, service: Client
    ) -> None:
        """S20: a key is made before and dead, or refused; never is one alive afterwards."""
        path = f"{ACCOUNTS}/{ok(service.post(ACCOUNTS, {'external_id': 'a'}), 201)['id']}"
        key = ok(service.post(f"{path}/api-keys", {"name": "k"}), 201)
        one = f"/api/v1/internal/api-keys/{key['id']}"
        calls: list[tuple[str, str, Any]] = [
            ("DELETE", path, None),
            *[("POST", f"{path}/api-keys", {"name": "k"})] * 3,
            ("POST", f"{one}/rotate", {"grace_seconds": 60}),
            ("PATCH", one, {"expires_at": None}),
        ]
        barrier = Barrier(len(calls))

        def call(asked: tuple[str, str, Any]) -> Any:
            method, url, body = asked
            barrier.wait()
            return service.request(method, url, **({} if body is None else {"json": body}))

        with ThreadPoolExecutor(len(calls)) as threads:
            erased, *answers = threads.map(call, calls)
        ok(erased, 204)
        raw_keys = [key["api_key"]]
        for answer in answers:
            assert answer.status_code in (200, 201, 404, 409), answer.text
            if answer.status_code == 201:
                raw_keys.append(answer.get_json()["data"]["api_key"])
        for raw_key in raw_keys:
            response = client.as_key(raw_key).get("/api/v1/authorize")
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")


class TestRequiresAServiceKey:
    @for_each("scope", ["verify", "usage", "keys", "webhooks"])
    def test_with_the_scope_accounts(self, client: Client, scope: str) -> None:
        other = client.as_key(make_service_key(client.app, scope))
        for answer in (other.post(ACCOUNTS, {"external_id": "a"}), other.delete(NO_ACCOUNT)):
            error(answer, 403, "AUTHORIZATION_ERROR", "insufficient_scope")
