"""POST /api/auth/login of an account with a second factor, and POST /api/auth/login/mfa"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import time_machine
from flask import Flask

from ragauth import transaction
from ragauth.models import accounts as account_rows
from ragauth.security.emails import canonical_email
from ragauth.services.accounts import confirmations
from ragauth.services.accounts.confirmations import Purpose
from tests.clients import PASSWORD, Client, Member, assert_same_answer, error, issues, ok
from tests.factories.accounts import resume, suspend
from tests.factories.mails import confirm_address, receive_one
from tests.factories.second_factors import Authenticator, enrol, first_step, wrong_code

LOGIN = "/api/auth/login"
PATH = "/api/auth/login/mfa"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT_ONCE = 20


@pytest.fixture(autouse=True)
def traveller() -> Iterator[time_machine.Traveller]:
    """The clock, at the beginning of a time step."""
    with time_machine.travel(NOON) as coordinates:
        yield coordinates


@pytest.fixture
def member(client: Client) -> Member:
    return client.sign_up()


@pytest.fixture
def authenticator(member: Member) -> Authenticator:
    return enrol(member)


def refused(client: Client, token: str, code: str, reason: str = "invalid") -> str:
    """What a second step that is refused says."""
    response = client.post(PATH, {"mfa_token": token, "code": code})
    error(response, 401, "AUTHENTICATION_ERROR", reason)
    message: str = response.get_json()["error"]["message"]
    return message


class TestFirstStep:
    def test_the_right_password_gets_a_token_and_no_session(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        response = client.post(LOGIN, {"email": member.email, "password": PASSWORD})
        data = ok(response)
        assert set(data) == {"mfa_token", "expires_in"}
        assert data["expires_in"] == 300
        assert len(data["mfa_token"]) >= 40
        assert len(ok(member.client.get("/api/auth/sessions"))) == 1
        assert "account:login_succeeded" not in member.event_names()

    def test_a_wrong_password_is_told_as_ever(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        """S6: nothing tells an outsider that there is a second factor."""
        with_factor = client.post(LOGIN, {"email": member.email, "password": "wrong password"})
        without = client.post(LOGIN, {"email": "nobody@example.com", "password": "wrong password"})
        assert_same_answer(with_factor, without)

    def test_its_token_opens_nothing_else(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        """S12"""
        token = first_step(client, member)
        response = client.as_user(token).get("/api/auth/me")
        error(response, 401, "AUTHENTICATION_ERROR", "malformed")
        response = client.post("/api/auth/token/refresh", {"refresh_token": token})
        error(response, 401, "AUTHENTICATION_ERROR", "malformed")


class TestSecondStep:
    def test_a_code_completes_the_login(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        body = {"mfa_token": first_step(client, member), "code": authenticator.code()}
        data = ok(client.post(PATH, body))
        assert set(data) == {"token", "refresh_token", "token_type", "expires_in", "account"}
        me = ok(client.as_user(data["token"]).get("/api/auth/me"))
        assert data["account"] == me
        event = ok(member.client.get("/api/auth/events"))[0]
        assert event["name"] == "account:login_succeeded"
        assert event["details"] == {"second_factor": "totp"}

    def test_after_a_wrong_code_the_right_one_will_do(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        token = first_step(client, member)
        assert refused(client, token, wrong_code(authenticator)) == "Invalid code"
        assert member.event_names()[0] == "account:second_factor_failed"
        ok(client.post(PATH, {"mfa_token": token, "code": authenticator.code()}))

    def test_what_is_no_code_is_a_wrong_code(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        token = first_step(client, member)
        for code in ("", " ", "12345", "x" * 100, "0000-0000-0000"):
            assert refused(client, token, code) == "Invalid code"

    def test_another_accounts_code_is_a_wrong_one(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        """S25"""
        others = enrol(client.sign_up())
        token = first_step(client, member)
        for code in (others.code(), others.recovery_codes[0]):
            assert refused(client, token, code) == "Invalid code"

    def test_the_token_is_good_once(
        self,
        client: Client,
        member: Member,
        authenticator: Authenticator,
        traveller: time_machine.Traveller,
    ) -> None:
        """S8"""
        token = first_step(client, member)
        ok(client.post(PATH, {"mfa_token": token, "code": authenticator.code()}))
        traveller.shift(30)
        refused(client, token, authenticator.code(), "reused")

    def test_it_lives_five_minutes(
        self,
        client: Client,
        member: Member,
        authenticator: Authenticator,
        traveller: time_machine.Traveller,
    ) -> None:
        token = first_step(client, member)
        traveller.shift(300)
        response = client.post(PATH, {"mfa_token": token, "code": authenticator.code()})
        details = error(response, 401, "AUTHENTICATION_ERROR", "expired")
        # From the first step on, which took its time.
        assert "2026-03-01T12:05:00Z" <= details["expired_at"] <= "2026-03-01T12:05:30Z"

    def test_what_is_no_token_is_refused(self, client: Client) -> None:
        for token in ("", "x", "ж" * 1000):
            refused(client, token, "123456")

    def test_a_token_for_something_else_is_refused(
        self, app: Flask, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        """S12: a mail's token does not stand in for it."""
        with app.app_context(), transaction.unit_of_work():
            account = account_rows.find_by_email(canonical_email(member.email))
            assert account is not None
            token = confirmations.issue_token(
                account_id=account.id,
                purpose=Purpose.RESET_PASSWORD,
                lifetime=timedelta(minutes=30),
            )
        refused(client, token, authenticator.code())

    def test_an_access_token_does_not_stand_in_for_it(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        """S12"""
        refused(client, member.token, authenticator.code())


class TestReplay:
    def test_a_code_is_good_once(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        one, other = first_step(client, member), first_step(client, member)
        ok(client.post(PATH, {"mfa_token": one, "code": authenticator.code()}))
        assert refused(client, other, authenticator.code()) == "Invalid code"
        ok(client.post(PATH, {"mfa_token": other, "code": authenticator.code(1)}))

    def test_the_code_that_confirmed_the_factor_is_spent(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        refused(client, first_step(client, member), authenticator.code(-1))

    @pytest.mark.both_databases
    def test_of_twenty_logins_with_one_code_at_once_one_succeeds(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        """S8: each with a token of its own; the throttle lets but a few of them try at all."""
        tokens = [first_step(client, member) for _ in range(AT_ONCE)]
        assert self._at_once(client, tokens, authenticator.code())[200] == 1

    @pytest.mark.both_databases
    def test_of_twenty_logins_with_one_token_at_once_one_succeeds(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        """S8"""
        tokens = [first_step(client, member)] * AT_ONCE
        assert self._at_once(client, tokens, authenticator.recovery_codes[0])[200] == 1
        assert len(ok(member.client.get("/api/auth/sessions"))) == 2

    def _at_once(self, client: Client, tokens: list[str], code: str) -> Counter[int]:
        """How often each status was answered."""
        barrier = Barrier(len(tokens))

        def try_it(token: str) -> int:
            barrier.wait()
            return client.post(PATH, {"mfa_token": token, "code": code}).status_code

        with ThreadPoolExecutor(len(tokens)) as threads:
            statuses = Counter(threads.map(try_it, tokens))
        assert set(statuses) <= {200, 401, 429}
        return statuses


class TestRecoveryCodes:
    def test_each_is_good_once(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        code = authenticator.recovery_codes[0]
        ok(client.post(PATH, {"mfa_token": first_step(client, member), "code": code}))
        refused(client, first_step(client, member), code)
        used = [
            event
            for event in ok(member.client.get("/api/auth/events"))
            if event["name"] == "account:recovery_code_used"
        ]
        assert [event["details"] for event in used] == [{"left": 9}]

    def test_its_owner_gets_a_mail(
        self, app: Flask, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        confirm_address(member)
        code = authenticator.recovery_codes[0]
        ok(client.post(PATH, {"mfa_token": first_step(client, member), "code": code}))
        mail = receive_one(app, "A recovery code was used")
        assert mail.to == member.email
        assert "9 are left" in mail.text
        assert "9 are left" in mail.html
        assert code not in mail.text + mail.html

    def test_case_spaces_and_dashes_do_not_matter(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        code = authenticator.recovery_codes[0].upper().replace("-", "  ")
        ok(client.post(PATH, {"mfa_token": first_step(client, member), "code": code}))

    def test_it_says_when_few_are_left_and_all_ten_are_good(
        self,
        client: Client,
        member: Member,
        authenticator: Authenticator,
    ) -> None:
        for code in authenticator.recovery_codes:
            ok(client.post(PATH, {"mfa_token": first_step(client, member), "code": code}))
        events = ok(member.client.get("/api/auth/events?limit=100"))
        low = [event for event in events if event["name"] == "account:recovery_codes_low"]
        assert [event["details"]["left"] for event in low] == [0, 1, 2, 3]
        assert ok(member.client.get("/api/auth/second-factor"))["recovery_codes_left"] == 0
        ok(
            client.post(
                PATH, {"mfa_token": first_step(client, member), "code": authenticator.code()}
            )
        )


class TestThrottle:
    def test_after_five_wrong_codes_no_code_is_looked_at(
        self,
        client: Client,
        member: Member,
        authenticator: Authenticator,
        traveller: time_machine.Traveller,
    ) -> None:
        """S9: for the account, whatever token is presented; the first step goes on."""
        for _ in range(5):
            refused(client, first_step(client, member), wrong_code(authenticator))
        body = {"mfa_token": first_step(client, member), "code": authenticator.code()}
        response = client.post(PATH, body)
        assert error(response, 429, "RATE_LIMIT_EXCEEDED")["size"] == 5
        assert 0 < int(response.headers["Retry-After"]) <= 300
        ok(member.client.get("/api/auth/me"))
        traveller.shift(301)
        token = first_step(client, member)
        ok(client.post(PATH, {"mfa_token": token, "code": authenticator.code()}))

    def test_another_accounts_failures_do_not_count(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        other = client.sign_up()
        others = enrol(other)
        for _ in range(5):
            refused(client, first_step(client, other), wrong_code(others))
        token = first_step(client, member)
        ok(client.post(PATH, {"mfa_token": token, "code": authenticator.code()}))


class TestBetweenTheSteps:
    def test_a_suspended_account_is_refused(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        """S14"""
        body = {"mfa_token": first_step(client, member), "code": authenticator.code()}
        suspend(member)
        error(client.post(PATH, body), 403, "AUTHORIZATION_ERROR", "account_suspended")
        resume(member)
        ok(client.post(PATH, body))

    def test_a_deleted_account_is_refused(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        """S14"""
        token = first_step(client, member)
        ok(member.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
        refused(client, token, authenticator.code())

    def test_a_change_of_the_password_ends_it_and_costs_no_code(
        self, client: Client, member: Member, authenticator: Authenticator
    ) -> None:
        """S7"""
        token = first_step(client, member)
        body = {"current_password": PASSWORD, "new_password": PASSWORD}
        ok(member.client.post("/api/auth/password/change", body), 204)
        refused(client, token, authenticator.code())
        token = first_step(client, member)
        ok(client.post(PATH, {"mfa_token": token, "code": authenticator.code()}))


def test_a_reset_of_the_password_does_not_go_round_it(
    app: Flask, client: Client, member: Member, authenticator: Authenticator
) -> None:
    """S7: neither the mail's token nor the new password opens a session; the code is asked for."""
    confirm_address(member)
    overtaken = first_step(client, member)
    ok(client.post("/api/auth/password/forgot", {"email": member.email}), 202)
    token = receive_one(app, "Set a new password").token
    body = {"token": token, "new_password": "an otter in the reeds"}
    ok(client.post("/api/auth/password/reset", body), 204)
    refused(client, overtaken, authenticator.code())
    refused(client, token, authenticator.code())
    data = ok(client.post(LOGIN, {"email": member.email, "password": body["new_password"]}))
    assert set(data) == {"mfa_token", "expires_in"}
    ok(client.post(PATH, {"mfa_token": data["mfa_token"], "code": authenticator.code()}))


class TestRejectsInput:
    def test_what_is_missing_is_named(self, client: Client) -> None:
        assert issues(client.post(PATH, {})) == {("mfa_token",): "Required", ("code",): "Required"}

    def test_unknown_fields_are_faults(self, client: Client) -> None:
        body = {"mfa_token": "x", "code": "123456", "password": PASSWORD}
        assert issues(client.post(PATH, body)) == {("password",): "Unknown field"}

    def test_what_is_no_text_is_a_fault(self, client: Client) -> None:
        values: list[object] = [None, 1, ["x"], {}, "x\0", "\ud800", "x" * 1001]
        for value in values:
            response = client.post(PATH, {"mfa_token": value, "code": value})
            assert set(issues(response)) == {("mfa_token",), ("code",)}
