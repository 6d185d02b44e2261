"""POST /api/auth/email/verify and the mail that a signup sends"""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from ragauth import clock
from tests.cases import for_each
from tests.clients import PASSWORD, Client, Member, error, issues, ok
from tests.factories.accounts import resume, suspend
from tests.factories.commands import run
from tests.factories.mails import receive_mail, receive_one

PATH = "/api/auth/email/verify"
SUBJECT = "Confirm your email address"


@pytest.fixture
def member(app: Flask, client: Client) -> Member:
    return client.sign_up()


@pytest.fixture
def token(app: Flask, member: Member) -> str:
    return receive_one(app, SUBJECT).token


def verify(client: Client, token: str) -> TestResponse:
    return client.post(PATH, {"token": token})


class TestSucceeds:
    def test_a_signup_sends_a_link_and_its_token_confirms_the_address(
        self, app: Flask, client: Client
    ) -> None:
        member = client.sign_up(email="Ada@Example.com")
        assert not ok(member.client.get("/api/auth/me"))["email_verified"]
        (mail,) = receive_mail(app)
        assert (mail.to, mail.subject) == ("Ada@Example.com", SUBJECT)
        assert mail.sender == "ragauth <no-reply@ragauth.test>"
        assert f"https://app.test/verify-email#token={mail.token}" in mail.text
        ok(verify(client, mail.token), 204)
        assert ok(member.client.get("/api/auth/me"))["email_verified"]

    def test_it_is_in_the_history_without_the_token(
        self, client: Client, member: Member, token: str
    ) -> None:
        ok(verify(client, token), 204)
        assert member.event_names()[0] == "account:email_verified"
        assert token not in member.client.get("/api/auth/events").text

    def test_nothing_that_somebody_typed_is_in_the_mail(self, app: Flask, client: Client) -> None:
        """Or a signup with a stranger's address would carry them a message."""
        client.sign_up(name="Win a prize at evil.example", username="winaprize")
        (mail,) = receive_mail(app)
        assert "prize" not in (mail.subject + mail.text + mail.html + mail.to)

    def test_an_account_made_by_an_operator_gets_no_mail(self, app: Flask) -> None:
        run(app, "accounts", "create", "--email", "ada@example.com", "--password", PASSWORD)
        assert receive_mail(app) == []

    def test_a_signup_that_fails_sends_none(self, app: Flask, client: Client) -> None:
        member = client.sign_up()
        receive_mail(app)
        body = {"email": member.email, "password": PASSWORD}
        error(client.post("/api/auth/signup", body), 409, "CONFLICT")
        assert receive_mail(app) == []


class TestTokens:
    def test_it_is_good_once(self, client: Client, token: str) -> None:
        """S8: single use."""
        ok(verify(client, token), 204)
        error(verify(client, token), 401, "AUTHENTICATION_ERROR", "reused")

    def test_it_lives_a_day(self, client: Client, member: Member, token: str) -> None:
        """S8: short-lived."""
        with time_machine.travel(clock.now() + timedelta(hours=25), tick=False):
            error(verify(client, token), 401, "AUTHENTICATION_ERROR", "expired")
        assert not ok(member.client.get("/api/auth/me"))["email_verified"]

    @for_each("token", ["", "x", "x" * 43, "ü" * 4000])
    def test_what_is_no_token_is_refused(self, client: Client, token: str) -> None:
        error(verify(client, token), 401, "AUTHENTICATION_ERROR", "invalid")

    def test_no_token_of_a_session_can_stand_in(self, client: Client, member: Member) -> None:
        """S12"""
        for token in (member.token, member.refresh_token, member.api_key):
            error(verify(client, token), 401, "AUTHENTICATION_ERROR", "invalid")

    @pytest.mark.both_databases
    def test_a_suspended_accounts_token_waits(
        self, client: Client, member: Member, token: str
    ) -> None:
        suspend(member)
        error(verify(client, token), 403, "AUTHORIZATION_ERROR", "account_suspended")
        resume(member)
        ok(verify(client, token), 204)

    def test_a_deleted_accounts_token_is_dead(
        self, client: Client, member: Member, token: str
    ) -> None:
        ok(member.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
        error(verify(client, token), 401, "AUTHENTICATION_ERROR", "invalid")


class TestRejectsInput:
    def test_all_faults_are_told_at_once(self, client: Client) -> None:
        assert issues(client.post(PATH, {"code": "x"})) == {
            ("token",): "Required",
            ("code",): "Unknown field",
        }
