"""POST /api/auth/password/change"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.cases import for_each
from tests.clients import (
    PASSWORD,
    Client,
    Member,
    assert_needs_access_token,
    error,
    issues,
    ok,
)
from tests.factories.mails import confirm_address, receive_mail, receive_one

PATH = "/api/auth/password/change"
NEW = "an otter in the reeds"
NOTICE = "Your password was changed"


def change(member: Member, new_password: str = NEW, current: str = PASSWORD) -> TestResponse:
    body = {"current_password": current, "new_password": new_password}
    return member.client.post(PATH, body)


def log_in(client: Client, member: Member, password: str) -> TestResponse:
    return client.post("/api/auth/login", {"email": member.email, "password": password})


class TestSucceeds:
    def test_the_new_password_is_good_and_the_old_one_is_not(self, client: Client) -> None:
        member = client.sign_up()
        ok(change(member), 204)
        ok(log_in(client, member, NEW))
        error(log_in(client, member, PASSWORD), 401, "AUTHENTICATION_ERROR", "invalid")

    def test_every_other_session_ends_and_this_one_stays(self, client: Client) -> None:
        """S7 and S14: on the next request, its refresh token too."""
        member = client.sign_up()
        other = client.log_in(member)
        ok(change(member), 204)
        ok(member.client.get("/api/auth/me"))
        ok(client.post("/api/auth/token/refresh", {"refresh_token": member.refresh_token}))
        response = client.as_user(other["token"]).get("/api/auth/me")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        response = client.post("/api/auth/token/refresh", {"refresh_token": other["refresh_token"]})
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_the_owner_gets_a_mail_without_the_password(self, app: Flask, client: Client) -> None:
        """S7: a change writes a mail. S27: no password in it."""
        member = client.sign_up()
        confirm_address(member)
        ok(change(member), 204)
        mail = receive_one(app, NOTICE)
        assert mail.to == member.email
        assert "127.0.0.1" in mail.text
        assert NEW not in mail.text + mail.html

    def test_it_is_in_the_history_without_the_password(self, client: Client) -> None:
        member = client.sign_up()
        client.log_in(member)
        ok(change(member), 204)
        assert member.event_names()[:2] == ["account:password_changed", "session:all_ended"]
        assert NEW not in member.client.get("/api/auth/events").text

    def test_keys_go_on_working(self, client: Client) -> None:
        member = client.sign_up()
        ok(change(member), 204)
        assert member.key_client.get("/api/v1/authorize").status_code == 200

    def test_the_old_password_may_be_the_new_one(self, client: Client) -> None:
        """S2: no forced rotation; it ends the other sessions all the same."""
        member = client.sign_up()
        other = client.log_in(member)
        ok(change(member, PASSWORD), 204)
        response = client.as_user(other["token"]).get("/api/auth/me")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        ok(log_in(client, member, PASSWORD))

    @for_each("password", ["aaaaaaab", "ж" * 128, "12345678 times two", "\n" * 8])
    def test_a_password_may_be_made_of_anything(self, client: Client, password: str) -> None:
        """S1 and S2: 8 to 128 code points, no composition rules."""
        member = client.sign_up()
        ok(change(member, password), 204)
        ok(log_in(client, member, password))

    def test_a_token_to_reset_it_is_dead_with_the_change(self, app: Flask, client: Client) -> None:
        """S8: whoever reads the mail later cannot undo the change."""
        member = client.sign_up()
        confirm_address(member)
        ok(client.post("/api/auth/password/forgot", {"email": member.email}), 202)
        token = receive_one(app, "Set a new password").token
        ok(change(member), 204)
        body = {"token": token, "new_password": "a thief's password"}
        response = client.post("/api/auth/password/reset", body)
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        ok(log_in(client, member, NEW))

    def test_but_not_while_nobody_has_confirmed_the_address(
        self, app: Flask, client: Client
    ) -> None:
        """S42: who signed up with a stranger's address cannot keep its owner from resetting."""
        member = client.sign_up()
        ok(client.post("/api/auth/password/forgot", {"email": member.email}), 202)
        ok(change(member), 204)
        token = receive_one(app, "Set a new password").token
        ok(change(member, "another otter", NEW), 204)
        body = {"token": token, "new_password": "an owner's password"}
        ok(client.post("/api/auth/password/reset", body), 204)


class TestRefuses:
    def test_a_wrong_current_password_changes_nothing(self, app: Flask, client: Client) -> None:
        """S7: a change needs the current password."""
        member = client.sign_up()
        other = client.log_in(member)
        receive_mail(app)
        for wrong in ("wrong password", "", PASSWORD.upper()):
            response = change(member, current=wrong)
            error(response, 401, "AUTHENTICATION_ERROR", "invalid")
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="ragauth"'
        ok(log_in(client, member, PASSWORD))
        ok(client.as_user(other["token"]).get("/api/auth/me"))
        assert receive_mail(app) == []

    def test_wrong_current_passwords_are_throttled(
        self, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        """S9: in front of the hash, and the session lives on."""
        member = Client(make_app(login_failures_per_account=2)).sign_up()
        for _ in range(2):
            error(change(member, current="wrong"), 401, "AUTHENTICATION_ERROR", "invalid")
        error(change(member), 429, "RATE_LIMIT_EXCEEDED")
        ok(member.client.get("/api/auth/me"))

    @pytest.mark.parametrize(
        ("password", "word"),
        [
            ("password1", "well-known"),
            ("ADA@example.com", "your own"),
            ("Ada Lovelace", "your own"),
            ("ADAlovelace1815", "your own"),
        ],
    )
    def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(
        self, client: Client, password: str, word: str
    ) -> None:
        """S3: well-known passwords and the account's own words."""
        member = client.sign_up(
            email="ada@example.com", name="ada lovelace", username="adalovelace1815"
        )
        found = issues(change(member, password))
        assert set(found) == {("new_password",)}
        assert word in found["new_password",]
        ok(log_in(client, member, PASSWORD))

    def test_of_two_changes_at_once_one_wins(self, client: Client) -> None:
        member = client.sign_up()
        barrier = Barrier(2)

        def try_it(password: str) -> int:
            barrier.wait()
            return change(member, password).status_code

        passwords = ["the first of two", "the second of two"]
        with ThreadPoolExecutor(2) as threads:
            statuses = list(threads.map(try_it, passwords))
        assert sorted(statuses) in ([204, 401], [204, 409])
        winner = passwords[statuses.index(204)]
        assert [log_in(client, member, word).status_code == 200 for word in passwords] == [
            word == winner for word in passwords
        ]


class TestRejectsInput:
    def test_all_faults_are_told_at_once(self, client: Client) -> None:
        """S26: unknown fields are refused."""
        member = client.sign_up()
        assert issues(member.client.post(PATH, {"new_password": "12345678", "force": True})) == {
            ("current_password",): "Required",
            ("new_password",): "This password is on a list of well-known passwords",
            ("force",): "Unknown field",
        }

    @for_each("password", ["", "short", "ж" * 7, "x" * 129])
    def test_the_length_counts_in_characters(self, client: Client, password: str) -> None:
        """S1: 8 to 128 code points."""
        assert set(issues(change(client.sign_up(), password))) == {("new_password",)}


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(
            client, "POST", PATH, {"current_password": PASSWORD, "new_password": NEW}
        )
