"""S42: who resets the password of an account whose address was never confirmed starts clean."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from ragauth.web import endpoint
from tests.clients import PASSWORD, Client, Member, error, ok
from tests.factories.api_keys import make_service_key
from tests.factories.mails import confirm_address, receive_mail, receive_one
from tests.factories.second_factors import begin_enrolment, enrol, first_step

NEW = "an otter in the reeds"


@pytest.fixture
def squatter(client: Client) -> Member:
    """Somebody who signed up with an address of another."""
    return client.sign_up(name="A squatter", username=None)


def ask(app: Flask, member: Member) -> str:
    """The token that the address's owner gets."""
    client = Client(app)
    ok(client.post("/api/auth/password/forgot", {"email": member.email}), 202)
    return receive_one(app, "Set a new password").token


def reset(client: Client, token: str) -> TestResponse:
    return client.post("/api/auth/password/reset", {"token": token, "new_password": NEW})


def log_in(client: Client, member: Member) -> Client:
    """The owner, in a session of the new password alone."""
    data = ok(client.post("/api/auth/login", {"email": member.email, "password": NEW}))
    return client.as_user(data["token"])


class TestEnds:
    def test_the_second_factor_and_its_recovery_codes(
        self, app: Flask, client: Client, squatter: Member
    ) -> None:
        """S42: the password alone lets its owner in, who can set up a factor of his own."""
        authenticator = enrol(squatter)
        mfa_token = first_step(client, squatter)
        ok(reset(client, ask(app, squatter)), 204)
        owner = log_in(client, squatter)
        status = ok(owner.get("/api/auth/second-factor"))
        assert (status["enabled"], status["recovery_codes_left"]) == (False, 0)
        for code in (authenticator.code(), authenticator.recovery_codes[0]):
            body = {"mfa_token": mfa_token, "code": code}
            response = client.post("/api/auth/login/mfa", body)
            error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        ok(owner.post("/api/auth/second-factor", {"password": NEW}), 201)

    def test_an_enrolment_that_waits_for_its_first_code(
        self, app: Flask, client: Client, squatter: Member
    ) -> None:
        """S42"""
        pending = begin_enrolment(squatter)
        ok(reset(client, ask(app, squatter)), 204)
        owner = log_in(client, squatter)
        body = {"code": pending.code()}
        error(owner.post("/api/auth/second-factor/confirm", body), 404, "NOT_FOUND")

    def test_every_key_and_agent(self, app: Flask, client: Client, squatter: Member) -> None:
        """S42 and S20: agents' keys, keys in their grace, disabled ones; from the answer on."""
        agent = squatter.create_agent()
        path = f"/api/agents/{agent['id']}/api-keys"
        bound = ok(squatter.client.post(path, {"name": "bound"}), 201)
        old = squatter.create_key()
        path = f"/api/auth/api-keys/{old['id']}/rotate"
        rotated = ok(squatter.client.post(path, {"grace_seconds": 604_800}), 201)
        raw_keys = [squatter.api_key, *(key["api_key"] for key in (bound, old, rotated))]
        disabled = squatter.create_key()
        ok(squatter.client.patch(f"/api/auth/api-keys/{disabled['id']}", {"is_active": False}))
        for raw_key in raw_keys:
            assert client.as_key(raw_key).get("/api/v1/authorize").status_code == 200
        ok(reset(client, ask(app, squatter)), 204)
        for raw_key in raw_keys:
            response = client.as_key(raw_key).get("/api/v1/authorize")
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        owner = log_in(client, squatter)
        assert ok(owner.get("/api/auth/api-keys")) == ok(owner.get("/api/agents")) == []

    def test_no_managed_key_and_no_agent_of_one(
        self, app: Flask, client: Client, squatter: Member
    ) -> None:
        """S42: what the operator made goes on, bound as it was; the squatter's own keys end."""
        service = client.as_key(make_service_key(app, "keys"))
        bound_to, other = squatter.create_agent(), squatter.create_agent()
        path = f"/api/v1/internal/accounts/{squatter.id}/api-keys"
        body = {"name": "managed", "agent_id": bound_to["id"]}
        bound = ok(service.post(path, body), 201)
        disabled = ok(service.post(path, {"name": "managed"}), 201)
        one = f"/api/v1/internal/api-keys/{disabled['id']}"
        ok(service.patch(one, {"is_active": False}))
        dead = ok(service.post(path, {"name": "dead", "agent_id": other["id"]}), 201)
        ok(service.delete(f"/api/v1/internal/api-keys/{dead['id']}"), 204)
        own = ok(squatter.client.post(f"/api/agents/{bound_to['id']}/api-keys", {"name": "o"}), 201)
        ok(reset(client, ask(app, squatter)), 204)
        question = f"/api/v1/authorize?agent_id={bound_to['id']}"
        assert client.as_key(bound["api_key"]).get(question).status_code == 200
        for raw_key in (own["api_key"], squatter.api_key, dead["api_key"]):
            response = client.as_key(raw_key).get("/api/v1/authorize")
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        owner = log_in(client, squatter)
        keys = ok(owner.get("/api/auth/api-keys"))
        assert [key["id"] for key in keys] == [disabled["id"], bound["id"]]
        assert [agent["id"] for agent in ok(owner.get("/api/agents"))] == [bound_to["id"]]
        ok(service.patch(one, {"is_active": True}))
        assert client.as_key(disabled["api_key"]).get("/api/v1/authorize").status_code == 200

    def test_sessions_and_a_change_of_address_that_waits(
        self, app: Flask, client: Client, squatter: Member
    ) -> None:
        """S42"""
        body = {"new_email": "squatter@example.com", "password": PASSWORD}
        ok(squatter.client.post("/api/auth/email/change", body), 202)
        change = receive_one(app, "Confirm your new email address").token
        ok(reset(client, ask(app, squatter)), 204)
        error(squatter.client.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        body = {"refresh_token": squatter.refresh_token}
        response = client.post("/api/auth/token/refresh", body)
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        response = client.post("/api/auth/email/verify", {"token": change})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")

    def test_the_privilege_of_where_somebody_logged_in(
        self, app: Flask, client: Client, make_app: Callable[..., Flask], squatter: Member
    ) -> None:
        """S42: failed logins from there are a stranger's from now on."""
        throttled = Client(make_app(login_failures_per_account=2))
        ok(reset(client, ask(app, squatter)), 204)
        for _ in range(2):
            body = {"email": squatter.email, "password": PASSWORD}
            error(throttled.post("/api/auth/login", body), 401, "AUTHENTICATION_ERROR", "invalid")
        elsewhere = Client(throttled.app).request(
            "POST",
            "/api/auth/login",
            json={"email": squatter.email, "password": NEW},
            environ_overrides={"REMOTE_ADDR": "203.0.113.7"},
        )
        error(elsewhere, 429, "RATE_LIMIT_EXCEEDED")


class TestTheOwner:
    def test_is_told_by_mail_and_in_the_history(
        self, app: Flask, client: Client, squatter: Member
    ) -> None:
        """S42"""
        squatter.create_agent()
        squatter.create_key()
        enrol(squatter)
        ok(reset(client, ask(app, squatter)), 204)
        (mail,) = receive_mail(app)
        assert (mail.to, mail.subject) == (squatter.email, "Your password was set anew")
        told = "(API keys: 2, agents: 1, second factors: 1)"
        assert told in mail.text
        assert told in mail.html
        events = ok(log_in(client, squatter).get("/api/auth/events?limit=100"))
        names = [event["name"] for event in events]
        assert names.count("api_key:revoked") == 2
        assert {"agent:deleted", "account:second_factor_removed", "account:email_verified"} < set(
            names
        )
        (clean,) = [event for event in events if event["name"] == "account:started_clean"]
        assert clean["details"] == {
            "revoked_keys": 2,
            "deleted_agents": 1,
            "removed_second_factors": 1,
        }

    def test_makes_a_primary_key_of_his_own(
        self, app: Flask, client: Client, squatter: Member
    ) -> None:
        ok(reset(client, ask(app, squatter)), 204)
        owner = log_in(client, squatter)
        made = ok(owner.post("/api/auth/api-key/regenerate"))
        assert made["key"]["is_primary"]
        assert client.as_key(made["api_key"]).get("/api/v1/authorize").status_code == 200

    def test_keeps_what_opens_nothing(self, app: Flask, client: Client, squatter: Member) -> None:
        ok(reset(client, ask(app, squatter)), 204)
        account = ok(log_in(client, squatter).get("/api/auth/me"))
        assert (account["name"], account["email_verified"]) == ("A squatter", True)


class TestNotWhere:
    def test_the_address_was_confirmed(self, app: Flask, client: Client, squatter: Member) -> None:
        """S42 is of unconfirmed ones: who proved the address set it up."""
        confirm_address(squatter)
        authenticator = enrol(squatter)
        agent = squatter.create_agent()
        receive_mail(app)
        ok(reset(client, ask(app, squatter)), 204)
        assert "starts clean" not in receive_one(app, "Your password was set anew").text
        assert squatter.key_client.get("/api/v1/authorize").status_code == 200
        data = ok(client.post("/api/auth/login", {"email": squatter.email, "password": NEW}))
        body = {"mfa_token": data["mfa_token"], "code": authenticator.code()}
        owner = client.as_user(ok(client.post("/api/auth/login/mfa", body))["token"])
        assert [found["id"] for found in ok(owner.get("/api/agents"))] == [agent["id"]]

    def test_the_address_is_confirmed_by_its_mail(self, client: Client, squatter: Member) -> None:
        """The ordinary way changes nothing else."""
        enrol(squatter)
        confirm_address(squatter)
        assert squatter.key_client.get("/api/v1/authorize").status_code == 200
        assert ok(squatter.client.get("/api/auth/second-factor"))["enabled"]

    def test_a_token_is_refused(self, app: Flask, client: Client, squatter: Member) -> None:
        token = ask(app, squatter)
        body = {"token": token, "new_password": "password1"}
        assert client.post("/api/auth/password/reset", body).status_code == 400
        assert squatter.key_client.get("/api/v1/authorize").status_code == 200


class TestRaces:
    """What meets the reset comes before it and ends with it, or after it and is refused."""

    @pytest.mark.both_databases
    def test_nothing_that_the_squatter_does_at_the_same_time_works_on(
        self, app: Flask, client: Client, squatter: Member
    ) -> None:
        """S42: with the account's row locked, the session is looked at once more."""
        agent = squatter.create_agent()
        pending = begin_enrolment(squatter)
        token = ask(app, squatter)
        code = pending.code()
        calls: list[Callable[[], Any]] = [
            lambda: reset(client, token),
            *[lambda: squatter.client.post("/api/auth/api-keys", {"name": "late"})] * 2,
            lambda: squatter.client.post("/api/auth/api-key/regenerate"),
            lambda: squatter.client.post(f"/api/agents/{agent['id']}/api-keys", {"name": "late"}),
            *[lambda: squatter.client.post("/api/agents", {"name": "late"})] * 2,
            lambda: squatter.client.post("/api/auth/second-factor/confirm", {"code": code}),
            lambda: squatter.client.post("/api/auth/second-factor", {"password": PASSWORD}),
            lambda: client.post("/api/auth/login", {"email": squatter.email, "password": PASSWORD}),
            lambda: squatter.client.post(
                "/api/auth/email/change",
                {"new_email": "squatter@example.com", "password": PASSWORD},
            ),
            lambda: squatter.client.post(
                "/api/auth/password/change",
                {"current_password": PASSWORD, "new_password": "a squatter's second"},
            ),
        ]
        barrier = Barrier(len(calls))

        def call(one: Callable[[], TestResponse]) -> TestResponse:
            barrier.wait()
            while True:
                answer = one()
                # The hashes have few places: who finds none comes again.
                if answer.status_code != 429 or "limit" in answer.text:
                    return answer
                time.sleep(0.02)

        with ThreadPoolExecutor(len(calls)) as threads:
            answers = list(threads.map(call, calls))
        assert answers[0].status_code == 204
        assert all(answer.status_code < 500 for answer in answers)
        made = [answer.get_json().get("data") for answer in answers[1:] if answer.data]
        for data in made:
            if data is not None and "api_key" in data:
                response = client.as_key(data["api_key"]).get("/api/v1/authorize")
                error(response, 401, "AUTHENTICATION_ERROR", "revoked")
            if data is not None and "token" in data:
                response = client.as_user(data["token"]).get("/api/auth/me")
                error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        owner = log_in(client, squatter)
        assert ok(owner.get("/api/auth/api-keys")) == ok(owner.get("/api/agents")) == []
        assert not ok(owner.get("/api/auth/second-factor"))["enabled"]
        for mail in receive_mail(app):
            if mail.subject == "Confirm your new email address":
                response = client.post("/api/auth/email/verify", {"token": mail.token})
                error(response, 401, "AUTHENTICATION_ERROR", "invalid")

    @pytest.mark.both_databases
    def test_a_confirmation_at_the_same_time_succeeds_or_is_of_no_more_use(
        self, app: Flask, client: Client, squatter: Member
    ) -> None:
        """S42: either way the address is confirmed, and no deadlock."""
        ok(client.post("/api/auth/password/forgot", {"email": squatter.email}), 202)
        mails = {mail.subject: mail for mail in receive_mail(app)}
        body = {"token": mails["Confirm your email address"].token}
        barrier = Barrier(2)

        def confirm() -> int:
            barrier.wait()
            return client.post("/api/auth/email/verify", body).status_code

        def set_anew() -> int:
            barrier.wait()
            return reset(client, mails["Set a new password"].token).status_code

        with ThreadPoolExecutor(2) as threads:
            confirmed, was_reset = threads.submit(confirm), threads.submit(set_anew)
        assert was_reset.result() == 204
        assert confirmed.result() in (204, 401)
        assert ok(log_in(client, squatter).get("/api/auth/me"))["email_verified"]

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/api/auth/api-keys", {"name": "late"}),
            ("POST", "/api/auth/api-key/regenerate", None),
            ("POST", "/api/agents", {"name": "late"}),
            ("PATCH", "/api/auth/me", {"name": "late"}),
            ("POST", "/api/auth/email/resend", None),
            ("POST", "/api/auth/email/change", {"new_email": "s@example.com", "password": NEW}),
            ("POST", "/api/auth/me/delete", {"password": NEW}),
        ],
    )
    def test_a_session_that_ended_after_it_was_looked_at_changes_nothing(
        self,
        app: Flask,
        client: Client,
        squatter: Member,
        monkeypatch: pytest.MonkeyPatch,
        method: str,
        path: str,
        body: dict[str, str] | None,
    ) -> None:
        """S42 and S14: the reset is done between the guard and the lock, whatever the route."""
        token = ask(app, squatter)
        load = endpoint._load
        has_met = False

        def meet(*arguments: Any) -> Any:
            nonlocal has_met
            if not has_met:
                has_met = True
                ok(reset(client, token), 204)
            return load(*arguments)

        monkeypatch.setattr(endpoint, "_load", meet)
        response = squatter.client.request(method, path, **({"json": body} if body else {}))
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        owner = log_in(client, squatter)
        assert ok(owner.get("/api/auth/api-keys")) == ok(owner.get("/api/agents")) == []
