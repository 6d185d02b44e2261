"""POST /api/auth/password/reset"""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from ragauth import clock
from ragauth.extensions import db
from tests.clients import PASSWORD, Client, Member, error, issues, ok
from tests.factories.accounts import resume, suspend
from tests.factories.mails import receive_mail, receive_one

PATH = "/api/auth/password/reset"
NEW = "an otter in the reeds"


@pytest.fixture
def member(client: Client) -> Member:
    return client.sign_up()


@pytest.fixture
def token(app: Flask, client: Client, member: Member) -> str:
    ok(client.post("/api/auth/password/forgot", {"email": member.email}), 202)
    return receive_one(app, "Set a new password").token


def reset(client: Client, token: str, password: str = NEW) -> TestResponse:
    return client.post(PATH, {"token": token, "new_password": password})


def log_in(client: Client, member: Member, password: str) -> TestResponse:
    return client.post("/api/auth/login", {"email": member.email, "password": password})


class TestSucceeds:
    def test_the_new_password_is_good_and_the_old_one_is_not(
        self, client: Client, member: Member, token: str
    ) -> None:
        ok(reset(client, token), 204)
        ok(log_in(client, member, NEW))
        error(log_in(client, member, PASSWORD), 401, "AUTHENTICATION_ERROR", "invalid")

    def test_every_session_ends(self, client: Client, member: Member, token: str) -> None:
        """S7 and S14"""
        other = client.log_in(member)
        ok(reset(client, token), 204)
        for access_token in (member.token, other["token"]):
            response = client.as_user(access_token).get("/api/auth/me")
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_the_owner_gets_a_mail_and_it_is_in_the_history(
        self, app: Flask, client: Client, member: Member, token: str
    ) -> None:
        """S7: a reset writes a mail."""
        ok(reset(client, token), 204)
        mail = receive_one(app, "Your password was set anew")
        assert mail.to == member.email
        data = ok(log_in(client, member, NEW))
        response = client.as_user(data["token"]).get("/api/auth/events")
        names = [event["name"] for event in ok(response)]
        assert {"account:password_reset", "session:all_ended"} <= set(names)
        assert token not in response.text
        assert NEW not in response.text + mail.text + mail.html

    def test_it_proves_the_address(self, client: Client, member: Member, token: str) -> None:
        assert not ok(member.client.get("/api/auth/me"))["email_verified"]
        ok(reset(client, token), 204)
        assert ok(log_in(client, member, NEW))["account"]["email_verified"]

    def test_the_old_password_may_be_set_once_more(
        self, client: Client, member: Member, token: str
    ) -> None:
        ok(reset(client, token, PASSWORD), 204)
        ok(log_in(client, member, PASSWORD))


class TestTokens:
    def test_it_is_good_once(self, client: Client, member: Member, token: str) -> None:
        """S8: single use."""
        ok(reset(client, token), 204)
        error(reset(client, token, "another otter"), 401, "AUTHENTICATION_ERROR", "reused")
        ok(log_in(client, member, NEW))

    @pytest.mark.both_databases
    def test_of_twenty_uses_at_once_one_wins(
        self, client: Client, member: Member, token: str
    ) -> None:
        """S8: single use even under 20 simultaneous uses."""
        barrier = Barrier(20)

        def try_it(number: int) -> int:
            barrier.wait()
            # The hashes have few places: one that finds none is told to come back, and does.
            while True:
                status = reset(client, token, f"otter number {number:02}").status_code
                if status != 429:
                    return status
                time.sleep(0.02)

        with ThreadPoolExecutor(20) as threads:
            statuses = list(threads.map(try_it, range(20)))
        assert sorted(statuses) == [204] + [401] * 19
        ok(log_in(client, member, f"otter number {statuses.index(204):02}"))

    def test_it_lives_thirty_minutes(self, client: Client, token: str) -> None:
        """S8: short-lived."""
        start = clock.now()
        with time_machine.travel(start + timedelta(minutes=31), tick=False):
            details = error(reset(client, token), 401, "AUTHENTICATION_ERROR", "expired")
        assert details["expired_at"] <= clock.format_time(start + timedelta(minutes=30))
        with time_machine.travel(start + timedelta(minutes=29), tick=False):
            ok(reset(client, token), 204)

    def test_every_other_token_is_dead_with_the_reset(
        self, app: Flask, client: Client, member: Member, token: str
    ) -> None:
        """S8"""
        ok(client.post("/api/auth/password/forgot", {"email": member.email}), 202)
        second = receive_one(app, "Set a new password").token
        ok(reset(client, second), 204)
        error(reset(client, token, "another otter"), 401, "AUTHENTICATION_ERROR", "invalid")

    @pytest.mark.parametrize("password", ["password1", "short"])
    def test_a_weak_password_does_not_spend_it(
        self, client: Client, token: str, password: str
    ) -> None:
        """S3"""
        assert set(issues(reset(client, token, password))) == {("new_password",)}
        ok(reset(client, token), 204)

    def test_nor_does_one_of_the_accounts_own_words(
        self, client: Client, member: Member, token: str
    ) -> None:
        """S3"""
        found = issues(reset(client, token, member.email.upper()))
        assert "your own" in found["new_password",]
        ok(reset(client, token), 204)

    def test_no_other_token_can_stand_in(self, app: Flask, client: Client) -> None:
        """S12: access, refresh and other mail tokens."""
        member = client.sign_up()
        verify = receive_one(app, "Confirm your email address").token
        for token in (verify, member.token, member.refresh_token, member.api_key, "", "x" * 43):
            error(reset(client, token), 401, "AUTHENTICATION_ERROR", "invalid")

    def test_it_cannot_stand_in_for_another(
        self, client: Client, member: Member, token: str
    ) -> None:
        """S12"""
        response = client.post("/api/auth/email/verify", {"token": token})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        response = client.as_user(token).get("/api/auth/me")
        error(response, 401, "AUTHENTICATION_ERROR", "malformed")

    def test_it_stands_nowhere_in_the_database(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        """S8: stored hashed. Nor does an address that somebody typed while it waits."""
        for email in (member.email, "nobody@example.com"):
            ok(client.post("/api/auth/password/forgot", {"email": email}), 202)
        waiting = _everything(app)
        token = receive_one(app, "Set a new password").token
        assert token not in waiting + _everything(app)
        assert "nobody@" not in waiting

    def test_a_suspended_accounts_token_waits(
        self, client: Client, member: Member, token: str
    ) -> None:
        suspend(member)
        error(reset(client, token), 403, "AUTHORIZATION_ERROR", "account_suspended")
        resume(member)
        ok(reset(client, token), 204)

    def test_a_deleted_accounts_token_is_dead(
        self, client: Client, member: Member, token: str
    ) -> None:
        ok(member.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
        error(reset(client, token), 401, "AUTHENTICATION_ERROR", "invalid")


def _everything(app: Flask) -> str:
    with app.app_context(), db.engine.connect() as connection:
        return "\n".join(
            str(row)
            for table in db.metadata.sorted_tables
            for row in connection.execute(select(table))
        )


def test_a_deleted_account_leaves_no_mail_and_no_address(app: Flask, client: Client) -> None:
    member = client.sign_up()
    body = {"new_email": "elsewhere@example.com", "password": PASSWORD}
    ok(member.client.post("/api/auth/email/change", body), 202)
    ok(client.post("/api/auth/password/forgot", {"email": member.email}), 202)
    ok(member.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
    assert receive_mail(app) == []
    left = _everything(app)
    assert member.email not in left
    assert "elsewhere" not in left
