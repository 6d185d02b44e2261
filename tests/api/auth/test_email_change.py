"""POST /api/auth/email/change, and the confirmation that it waits for"""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from ragauth import clock
from tests.cases import for_each
from tests.clients import (
    PASSWORD,
    Client,
    Member,
    assert_needs_access_token,
    assert_same_answer,
    error,
    issues,
    ok,
)
from tests.factories.mails import confirm_address, receive_mail, receive_one

PATH = "/api/auth/email/change"
VERIFY = "/api/auth/email/verify"
SUBJECT = "Confirm your new email address"
NEW = "Ada@new.example.com"


@pytest.fixture
def member(app: Flask, client: Client) -> Member:
    """Somebody whose first mail was read."""
    member = client.sign_up()
    receive_mail(app)
    return member


def ask(member: Member, new_email: str = NEW, password: str = PASSWORD) -> TestResponse:
    return member.client.post(PATH, {"new_email": new_email, "password": password})


def confirm(client: Client, token: str) -> TestResponse:
    return client.post(VERIFY, {"token": token})


def address(member: Member) -> tuple[str, bool]:
    account = ok(member.client.get("/api/auth/me"))
    return account["email"], account["email_verified"]


class TestSucceeds:
    def test_it_takes_effect_when_the_new_address_is_confirmed(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        assert ok(ask(member), 202) == {"accepted": True}
        assert address(member) == (member.email, False)
        mail = receive_one(app, SUBJECT)
        assert mail.to == NEW
        ok(confirm(client, mail.token), 204)
        assert address(member) == (NEW, True)
        for email, status in ((NEW, 200), (member.email, 401)):
            body = {"email": email, "password": PASSWORD}
            assert client.post("/api/auth/login", body).status_code == status

    @pytest.mark.both_databases
    def test_the_old_address_is_told_twice(self, app: Flask, client: Client) -> None:
        member = client.sign_up()
        confirm_address(member)
        ok(ask(member), 202)
        mails = {mail.subject: mail for mail in receive_mail(app)}
        asked = mails["A new address was asked for"]
        assert asked.to == member.email
        assert NEW in asked.text
        ok(confirm(client, mails[SUBJECT].token), 204)
        (told,) = receive_mail(app)
        assert (told.to, told.subject) == (member.email, "Your address was changed")

    def test_an_old_address_that_nobody_confirmed_is_not(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        """S41: it may be a stranger's."""
        ok(ask(member), 202)
        (mail,) = receive_mail(app)
        ok(confirm(client, mail.token), 204)
        assert (mail.to, receive_mail(app)) == (NEW, [])

    def test_it_is_in_the_history_without_an_address(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        """The history outlives the account; nothing personal may stand in it."""
        ok(ask(member), 202)
        ok(confirm(client, receive_one(app, SUBJECT).token), 204)
        assert member.event_names()[:3] == [
            "account:email_verified",
            "account:email_changed",
            "account:email_change_requested",
        ]
        assert NEW not in member.client.get("/api/auth/events").text

    @pytest.mark.both_databases
    def test_another_spelling_of_the_own_address_will_do(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        spelling = member.email.upper()
        ok(ask(member, spelling), 202)
        ok(confirm(client, receive_one(app, SUBJECT).token), 204)
        assert address(member) == (spelling, True)

    def test_the_old_address_is_free_again(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        ok(ask(member), 202)
        ok(confirm(client, receive_one(app, SUBJECT).token), 204)
        assert client.sign_up(email=member.email).id != member.id


class TestTellsNothing:
    def test_a_taken_address_gets_the_same_answer(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        """S6: who has an account is told on confirming alone, to who reads that address's mail."""
        other = client.sign_up()
        assert_same_answer(ask(member, other.email), ask(member, "free@example.com"))
        assert address(member) == (member.email, False)


class TestTokens:
    @pytest.mark.both_databases
    def test_an_address_that_was_taken_meanwhile_is_a_conflict(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        ok(ask(member), 202)
        token = receive_one(app, SUBJECT).token
        client.sign_up(email=NEW.lower())
        error(confirm(client, token), 409, "CONFLICT")
        assert address(member) == (member.email, False)

    @pytest.mark.both_databases
    def test_of_two_accounts_that_confirm_one_address_at_once_one_gets_it(
        self, app: Flask, client: Client
    ) -> None:
        members = [client.sign_up(), client.sign_up()]
        tokens = []
        for member in members:
            ok(ask(member), 202)
            tokens.append(receive_one(app, SUBJECT).token)
        barrier = Barrier(2)

        def try_it(token: str) -> int:
            barrier.wait()
            return confirm(client, token).status_code

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(try_it, tokens)) == [204, 409]

    def test_it_is_good_once_and_for_an_hour(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        """S8"""
        ok(ask(member), 202)
        token = receive_one(app, SUBJECT).token
        with time_machine.travel(clock.now() + timedelta(minutes=61), tick=False):
            error(confirm(client, token), 401, "AUTHENTICATION_ERROR", "expired")
        ok(confirm(client, token), 204)
        error(confirm(client, token), 401, "AUTHENTICATION_ERROR", "reused")

    def test_only_the_address_that_was_asked_for_last_can_be_confirmed(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        ok(ask(member, "first@example.com"), 202)
        first = receive_one(app, SUBJECT).token
        ok(ask(member), 202)
        error(confirm(client, first), 401, "AUTHENTICATION_ERROR", "invalid")
        ok(confirm(client, receive_one(app, SUBJECT).token), 204)
        assert address(member) == (NEW, True)

    def test_what_went_to_the_old_address_is_dead_with_the_change(
        self, app: Flask, client: Client
    ) -> None:
        """S8: its tokens, and its mails that were not sent yet."""
        member = client.sign_up()
        ok(client.post("/api/auth/password/forgot", {"email": member.email}), 202)
        ok(ask(member), 202)
        mails = {mail.subject: mail for mail in receive_mail(app)}
        ok(member.client.post("/api/auth/email/resend"), 202)
        ok(confirm(client, mails[SUBJECT].token), 204)
        error(
            confirm(client, mails["Confirm your email address"].token),
            *(401, "AUTHENTICATION_ERROR", "invalid"),
        )
        body = {"token": mails["Set a new password"].token, "new_password": "an otter in reeds"}
        response = client.post("/api/auth/password/reset", body)
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        assert receive_mail(app) == []


class TestRefuses:
    def test_a_wrong_password_sends_nothing(self, app: Flask, member: Member) -> None:
        response = ask(member, password="wrong password")
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        assert receive_mail(app) == []

    def test_it_is_throttled_for_the_account(self, member: Member) -> None:
        """S9: five mails an hour."""
        for _ in range(5):
            ok(ask(member), 202)
        error(ask(member), 429, "RATE_LIMIT_EXCEEDED")

    @for_each(
        "email", ["", "nobody", "a@example.com\r\nBcc: b@example.com", "a@example.com, b@x.com"]
    )
    def test_what_is_no_address_is_a_fault(self, app: Flask, member: Member, email: str) -> None:
        """Nor is a header line that somebody would like to add."""
        assert set(issues(ask(member, email))) == {("new_email",)}
        assert receive_mail(app) == []

    def test_all_faults_are_told_at_once(self, member: Member) -> None:
        assert issues(member.client.post(PATH, {"email": NEW})) == {
            ("new_email",): "Required",
            ("password",): "Required",
            ("email",): "Unknown field",
        }


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "POST", PATH, {"new_email": NEW, "password": PASSWORD})


class TestANewPassword:
    def test_ends_a_change_that_was_begun_with_the_old_one(
        self, app: Flask, client: Client, member: Member
    ) -> None:
        """S7: whoever follows the mail's advice to change the password is rid of a thief."""
        ok(ask(member), 202)
        token = receive_one(app, SUBJECT).token
        body = {"current_password": PASSWORD, "new_password": "an otter in the reeds"}
        ok(member.client.post("/api/auth/password/change", body), 204)
        error(confirm(client, token), 401, "AUTHENTICATION_ERROR", "invalid")
        assert address(member)[0] == member.email
