"""/api/auth/second-factor: enrolling, confirming, recovery codes, removing."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from ragauth import transaction
from ragauth.extensions import db
from ragauth.models import RecoveryCode, SecondFactor
from ragauth.security import totp
from tests.clients import (
    PASSWORD,
    Client,
    Member,
    assert_needs_access_token,
    error,
    issues,
    ok,
)
from tests.factories.mails import confirm_address, receive_one
from tests.factories.second_factors import (
    PATH,
    Authenticator,
    begin_enrolment,
    enrol,
    first_step,
    wrong_code,
)

CONFIRM = f"{PATH}/confirm"
CODES = f"{PATH}/recovery-codes"
DELETE = f"{PATH}/delete"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFF = {"enabled": False, "confirmed_at": None, "recovery_codes_left": 0}


@pytest.fixture(autouse=True)
def traveller() -> Iterator[time_machine.Traveller]:
    """The clock, at the beginning of a time step."""
    with time_machine.travel(NOON) as coordinates:
        yield coordinates


@pytest.fixture
def member(client: Client) -> Member:
    return client.sign_up()


def with_both(code: str, password: str = PASSWORD) -> dict[str, str]:
    return {"password": password, "code": code}


class TestEnrol:
    def test_it_shows_a_secret_in_three_forms(self, client: Client) -> None:
        member = client.sign_up(email="Ada+1@example.com")
        data = ok(member.client.post(PATH, {"password": PASSWORD}), 201)
        assert set(data) == {"secret", "provisioning_uri", "qr_svg"}
        assert re.fullmatch(r"[A-Z2-7]{32}", data["secret"])
        assert data["provisioning_uri"] == (
            f"otpauth://totp/ragauth:Ada%2B1@example.com?secret={data['secret']}&issuer=ragauth"
        )
        assert data["qr_svg"] == totp.qr_svg(data["provisioning_uri"])

    def test_without_a_name_of_the_sender_its_domain_is_the_issuer(
        self, make_app: Callable[..., Flask]
    ) -> None:
        member = Client(make_app(mail_from="no-reply@acme.example")).sign_up()
        data = ok(member.client.post(PATH, {"password": PASSWORD}), 201)
        assert data["provisioning_uri"].startswith("otpauth://totp/acme.example:")

    def test_it_changes_nothing_until_it_is_confirmed(self, client: Client, member: Member) -> None:
        begin_enrolment(member)
        assert ok(member.client.get(PATH)) == OFF
        assert "token" in client.log_in(member)
        assert "account:second_factor_added" not in member.event_names()

    def test_repeating_it_replaces_the_pending_one(self, member: Member) -> None:
        first, second = begin_enrolment(member), begin_enrolment(member)
        error(
            member.client.post(CONFIRM, {"code": first.code()}),
            *(401, "AUTHENTICATION_ERROR", "invalid"),
        )
        ok(member.client.post(CONFIRM, {"code": second.code()}))

    def test_of_three_at_once_the_last_one_counts(self, member: Member) -> None:
        """S36: nobody is left with two, or with an error."""
        barrier = Barrier(3)

        def try_it(_: int) -> Authenticator:
            barrier.wait()
            return begin_enrolment(member)

        with ThreadPoolExecutor(3) as threads:
            begun = list(threads.map(try_it, range(3)))
        statuses = [member.client.post(CONFIRM, {"code": one.code()}).status_code for one in begun]
        assert statuses.count(200) == 1

    def test_a_confirmed_one_is_not_replaced(self, member: Member) -> None:
        enrol(member)
        response = member.client.post(PATH, {"password": PASSWORD})
        error(response, 409, "CONFLICT")
        assert ok(member.client.get(PATH))["enabled"]

    def test_it_needs_the_password(self, member: Member) -> None:
        response = member.client.post(PATH, {"password": "wrong password"})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        assert response.get_json()["error"]["message"] == "Invalid password"

    def test_guessing_the_password_is_throttled(
        self, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        """S9"""
        member = Client(make_app(login_failures_per_account=3)).sign_up()
        for _ in range(3):
            response = member.client.post(PATH, {"password": "wrong password"})
            error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        response = member.client.post(PATH, {"password": PASSWORD})
        error(response, 429, "RATE_LIMIT_EXCEEDED")
        ok(member.client.get("/api/auth/me"))

    def test_what_is_stored_says_nothing_without_the_secret_key(
        self, app: Flask, member: Member
    ) -> None:
        """S16, S19: the secret is sealed, of a recovery code only a keyed digest is kept."""
        authenticator = enrol(member)
        with app.app_context(), transaction.read_only():
            sealed = db.session.scalars(select(SecondFactor.sealed_secret)).one()
            digests = db.session.scalars(select(RecoveryCode.digest)).all()
        stored = b"".join([sealed, *digests]).lower()
        assert len(digests) == 10
        assert authenticator.secret.lower().encode() not in stored
        for code in authenticator.recovery_codes:
            assert code.encode() not in stored
            assert code.replace("-", "").encode() not in stored


class TestConfirm:
    def test_it_answers_with_ten_recovery_codes(self, member: Member) -> None:
        authenticator = begin_enrolment(member)
        data = ok(member.client.post(CONFIRM, {"code": authenticator.code()}))
        assert set(data) == {"recovery_codes"}
        assert len(set(data["recovery_codes"])) == 10
        state = ok(member.client.get(PATH))
        assert state.pop("confirmed_at").startswith("2026-03-01T12:")
        assert state == {"enabled": True, "recovery_codes_left": 10}
        assert member.event_names()[0] == "account:second_factor_added"

    def test_its_owner_gets_a_mail(self, app: Flask, member: Member) -> None:
        confirm_address(member)
        authenticator = enrol(member)
        mail = receive_one(app, "Two-step login is on")
        assert mail.to == member.email
        for secret in (authenticator.secret, *authenticator.recovery_codes):
            assert secret not in mail.text + mail.html

    def test_spaces_in_a_code_do_not_matter(self, member: Member) -> None:
        code = begin_enrolment(member).code()
        ok(member.client.post(CONFIRM, {"code": f" {code[:3]} {code[3:]} "}))

    def test_sessions_and_the_form_of_the_account_stay(self, member: Member) -> None:
        before = ok(member.client.get("/api/auth/me"))
        enrol(member)
        assert ok(member.client.get("/api/auth/me")) == before

    @pytest.mark.both_databases
    def test_of_five_confirmations_at_once_one_shows_codes(self, member: Member) -> None:
        """S8"""
        authenticator = begin_enrolment(member)
        barrier = Barrier(5)

        def try_it(code: str) -> TestResponse:
            barrier.wait()
            return member.client.post(CONFIRM, {"code": code})

        with ThreadPoolExecutor(5) as threads:
            answers = list(threads.map(try_it, [authenticator.code()] * 5))
        (shown,) = [answer for answer in answers if answer.status_code == 200]
        assert {answer.status_code for answer in answers} <= {200, 401, 409}
        assert ok(member.client.get(PATH))["recovery_codes_left"] == 10
        body = with_both(ok(shown)["recovery_codes"][0])
        ok(member.client.post(DELETE, body), 204)

    def test_a_wrong_code_is_refused(self, member: Member) -> None:
        authenticator = begin_enrolment(member)
        response = member.client.post(CONFIRM, {"code": wrong_code(authenticator)})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        assert response.get_json()["error"]["message"] == "Invalid code"
        assert ok(member.client.get(PATH)) == OFF
        assert member.event_names()[0] == "account:second_factor_failed"

    def test_guessing_codes_is_throttled(self, member: Member) -> None:
        authenticator = begin_enrolment(member)
        for _ in range(5):
            error(
                member.client.post(CONFIRM, {"code": wrong_code(authenticator)}),
                *(401, "AUTHENTICATION_ERROR", "invalid"),
            )
        response = member.client.post(CONFIRM, {"code": authenticator.code()})
        error(response, 429, "RATE_LIMIT_EXCEEDED")

    def test_without_a_pending_one_there_is_nothing_to_confirm(self, member: Member) -> None:
        error(member.client.post(CONFIRM, {"code": "123456"}), 404, "NOT_FOUND")

    def test_a_confirmed_one_is_not_confirmed_again(self, member: Member) -> None:
        authenticator = enrol(member)
        error(member.client.post(CONFIRM, {"code": authenticator.code()}), 409, "CONFLICT")

    def test_after_an_hour_it_has_to_begin_anew(
        self, member: Member, traveller: time_machine.Traveller
    ) -> None:
        authenticator = begin_enrolment(member)
        traveller.shift(3600)
        token = Client(member.client.app).log_in(member)["token"]
        response = member.client.as_user(token).post(CONFIRM, {"code": authenticator.code()})
        error(response, 404, "NOT_FOUND")


class TestRecoveryCodes:
    def test_new_ones_take_the_place_of_the_old(self, client: Client, member: Member) -> None:
        authenticator = enrol(member)
        data = ok(member.client.post(CODES, with_both(authenticator.code())))
        assert set(data) == {"recovery_codes"}
        assert len({*data["recovery_codes"], *authenticator.recovery_codes}) == 20
        assert ok(member.client.get(PATH))["recovery_codes_left"] == 10
        assert member.event_names()[0] == "account:recovery_codes_renewed"
        body = {"mfa_token": first_step(client, member), "code": authenticator.recovery_codes[0]}
        error(client.post("/api/auth/login/mfa", body), 401, "AUTHENTICATION_ERROR", "invalid")
        ok(client.post("/api/auth/login/mfa", {**body, "code": data["recovery_codes"][0]}))

    def test_an_old_one_may_ask_for_them(self, member: Member) -> None:
        authenticator = enrol(member)
        ok(member.client.post(CODES, with_both(authenticator.recovery_codes[9])))
        assert ok(member.client.get(PATH))["recovery_codes_left"] == 10


class TestRemove:
    @pytest.mark.parametrize("with_recovery_code", [False, True])
    def test_the_password_is_enough_again(
        self, client: Client, member: Member, with_recovery_code: bool
    ) -> None:
        authenticator = enrol(member)
        code = authenticator.recovery_codes[0] if with_recovery_code else authenticator.code()
        ok(member.client.post(DELETE, with_both(code)), 204)
        assert ok(member.client.get(PATH)) == OFF
        assert "token" in client.log_in(member)
        assert "account:second_factor_removed" in member.event_names()

    def test_its_owner_gets_a_mail(self, app: Flask, member: Member) -> None:
        confirm_address(member)
        authenticator = enrol(member)
        ok(member.client.post(DELETE, with_both(authenticator.code())), 204)
        assert receive_one(app, "Two-step login is off").to == member.email

    def test_another_can_take_its_place(self, client: Client, member: Member) -> None:
        authenticator = enrol(member)
        ok(member.client.post(DELETE, with_both(authenticator.code())), 204)
        second = enrol(member)
        assert second.secret != authenticator.secret
        first_step(client, member)

    def test_a_login_between_its_steps_has_to_begin_anew(
        self, client: Client, member: Member, traveller: time_machine.Traveller
    ) -> None:
        authenticator = enrol(member)
        token = first_step(client, member)
        ok(member.client.post(DELETE, with_both(authenticator.code())), 204)
        traveller.shift(30)
        body = {"mfa_token": token, "code": authenticator.code()}
        response = client.post("/api/auth/login/mfa", body)
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")


class TestPasswordAndCode:
    """What holds for renewing the codes and for removing the factor alike."""

    @pytest.fixture(params=[CODES, DELETE])
    def path(self, request: pytest.FixtureRequest) -> str:
        path: str = request.param
        return path

    @pytest.fixture
    def authenticator(self, member: Member) -> Authenticator:
        return enrol(member)

    def test_the_password_alone_is_not_enough(
        self, member: Member, authenticator: Authenticator, path: str
    ) -> None:
        body = with_both(wrong_code(authenticator))
        error(member.client.post(path, body), 401, "AUTHENTICATION_ERROR", "invalid")
        assert issues(member.client.post(path, {"password": PASSWORD})) == {("code",): "Required"}
        assert ok(member.client.get(PATH))["recovery_codes_left"] == 10
        assert member.event_names()[0] == "account:second_factor_failed"

    def test_the_code_alone_is_not_enough_and_is_not_spent(
        self, member: Member, authenticator: Authenticator, path: str
    ) -> None:
        body = with_both(authenticator.code(), "wrong password")
        error(member.client.post(path, body), 401, "AUTHENTICATION_ERROR", "invalid")
        member.client.post(path, with_both(authenticator.code())).get_data()
        assert "account:second_factor_failed" not in member.event_names()

    def test_a_code_that_was_used_is_refused(
        self, member: Member, authenticator: Authenticator, path: str
    ) -> None:
        body = with_both(authenticator.code(-1))
        error(member.client.post(path, body), 401, "AUTHENTICATION_ERROR", "invalid")

    def test_guesses_are_throttled(
        self, member: Member, authenticator: Authenticator, path: str
    ) -> None:
        """S9"""
        for _ in range(5):
            member.client.post(path, with_both(wrong_code(authenticator)))
        response = member.client.post(path, with_both(authenticator.code()))
        details = error(response, 429, "RATE_LIMIT_EXCEEDED")
        assert details["limit"] == "second_factor_failures"
        assert 0 < int(response.headers["Retry-After"]) <= 300

    def test_without_a_factor_there_is_nothing_to_change(self, client: Client, path: str) -> None:
        begun = client.sign_up()
        begin_enrolment(begun)
        for member in (client.sign_up(), begun):
            error(member.client.post(path, with_both("123456")), 404, "NOT_FOUND")

    def test_another_accounts_codes_are_no_good(
        self, client: Client, member: Member, authenticator: Authenticator, path: str
    ) -> None:
        """S25"""
        others = enrol(client.sign_up())
        for code in (others.code(), others.recovery_codes[0]):
            response = member.client.post(path, with_both(code))
            error(response, 401, "AUTHENTICATION_ERROR", "invalid")

    def test_what_is_no_text_is_a_fault(self, member: Member, path: str) -> None:
        for code, fault in {
            None: "May not be null",
            123456: "Not a string",
            ("123456",): "Not a string",
            "12345\0": "May not contain NUL or lone surrogates",
            "\ud800": "May not contain NUL or lone surrogates",
            "1" * 101: "Must be at most 100 characters long",
        }.items():
            response = member.client.post(path, {"password": PASSWORD, "code": code})
            assert issues(response) == {("code",): fault}


def test_each_route_needs_an_access_token(client: Client) -> None:
    assert_needs_access_token(client, "GET", PATH)
    assert_needs_access_token(client, "POST", PATH, {"password": PASSWORD})
    assert_needs_access_token(client, "POST", CONFIRM, {"code": "123456"})
    assert_needs_access_token(client, "POST", CODES, with_both("123456"))
    assert_needs_access_token(client, "POST", DELETE, with_both("123456"))


def test_a_deleted_account_leaves_no_secret_and_no_code(app: Flask, member: Member) -> None:
    enrol(member)
    ok(member.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
    with app.app_context(), transaction.read_only():
        assert db.session.scalars(select(SecondFactor)).all() == []
        assert db.session.scalars(select(RecoveryCode)).all() == []
