"""POST /api/auth/login"""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.cases import for_each
from tests.clients import PASSWORD, Client, assert_same_answer, error, issues, ok
from tests.factories.accounts import resume, suspend
from tests.factories.commands import run
from tests.factories.hashing import cpu_of_alternating

PATH = "/api/auth/login"


class TestSucceeds:
    def test_it_answers_with_a_pair_and_the_account(self, client: Client) -> None:
        member = client.sign_up()
        data = ok(client.post(PATH, {"email": member.email, "password": PASSWORD}))
        assert set(data) == {"token", "refresh_token", "token_type", "expires_in", "account"}
        me = ok(client.as_user(data["token"]).get("/api/auth/me"))
        assert data["account"] == me
        assert data["token"] != member.token

    @pytest.mark.both_databases
    @pytest.mark.parametrize(
        "email",
        [
            " ada@example.com ",
            "ADA@EXAMPLE.COM",
            "\N{FULLWIDTH LATIN SMALL LETTER A}da@example.com",
        ],
    )
    def test_any_spelling_of_the_address_will_do(self, client: Client, email: str) -> None:
        client.sign_up(email="Ada@example.com")
        ok(client.post(PATH, {"email": email, "password": PASSWORD}))

    def test_a_username_will_do_whatever_its_case(self, client: Client) -> None:
        member = client.sign_up(username="Ada1815")
        data = ok(client.post(PATH, {"username": "aDA1815", "password": PASSWORD}))
        assert data["account"]["id"] == member.id

    def test_equal_spellings_of_a_password_are_one(self, client: Client) -> None:
        member = client.sign_up(password="caf\N{LATIN SMALL LETTER E WITH ACUTE} au lait")
        ok(
            client.post(
                PATH, {"email": member.email, "password": "cafe\N{COMBINING ACUTE ACCENT} au lait"}
            )
        )

    def test_it_is_in_the_history(self, client: Client) -> None:
        member = client.sign_up()
        client.log_in(member)
        assert member.event_names()[0] == "account:login_succeeded"


class TestRefusesTheWrongPassword:
    def test_an_unknown_account_and_a_wrong_password_are_one_answer(self, client: Client) -> None:
        """S6: same text, same status."""
        member = client.sign_up(username="ada1815")
        wrong = client.post(PATH, {"email": member.email, "password": "wrong password"})
        details = error(wrong, 401, "AUTHENTICATION_ERROR", "invalid")
        assert details == {"reason": "invalid"}
        assert wrong.get_json()["error"]["message"] == "Invalid email or password"
        for login in (
            {"email": "nobody@example.com"},
            {"email": "not an address"},
            {"email": ""},
            {"username": "ada1815"},
            {"username": "nobody"},
            {"username": "not a username!"},
        ):
            answer = client.post(PATH, {**login, "password": "wrong password"})
            assert_same_answer(answer, wrong)

    def test_an_unknown_account_takes_the_same_time(
        self, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        """S6: the medians of interleaved samples of timings differ by less than a quarter.

        By e-mail and by username, for an account whose hash is of an earlier, lower cost, and for
        one that has none. The CPU time of the thread, which nothing else on the host disturbs; the
        hash is most of it.
        """
        limits = {"login_failures_per_account": 1000, "login_failures_per_address": 1000}
        slow = Client(make_app(bcrypt_cost=6, **limits))
        member = slow.sign_up(username="ada1815")
        cheap = client.sign_up()
        run(client.app, *("accounts", "create", "--email", "none@example.com", "--no-password"))
        logins = {
            "unknown": {"email": "nobody@example.com"},
            "unknown username": {"username": "nobody"},
            "known": {"email": member.email},
            "known username": {"username": "ada1815"},
            "of a lower cost": {"email": cheap.email},
            "without a password": {"email": "none@example.com"},
        }

        def asks(login: dict[str, str]) -> Callable[[int], object]:
            return lambda _: slow.post(PATH, {**login, "password": "wrong password"})

        times = cpu_of_alternating(*map(asks, logins.values()), times=20)
        ratios = {name: seconds / times[0] for name, seconds in zip(logins, times, strict=True)}
        assert all(0.8 < ratio < 1.25 for ratio in ratios.values()), ratios

    @for_each("password", ["", "x", PASSWORD + " ", PASSWORD.upper(), "y" * 60_000])
    def test_what_is_not_the_password_is_refused(self, client: Client, password: str) -> None:
        member = client.sign_up()
        response = client.post(PATH, {"email": member.email, "password": password})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")

    def test_every_character_counts(self, client: Client) -> None:
        """S1: none is cut off, not after bcrypt's 72 bytes either."""
        member = client.sign_up(password="ж" * 127 + "a")
        response = client.post(PATH, {"email": member.email, "password": "ж" * 127 + "b"})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        client.log_in(member)

    def test_it_is_in_the_history_without_the_password(self, client: Client) -> None:
        """S27: no password in an event."""
        member = client.sign_up()
        client.post(PATH, {"email": member.email, "password": "hunter2 hunter2"})
        response = member.client.get("/api/auth/events")
        assert ok(response)[0]["name"] == "account:login_failed"
        assert "hunter2" not in response.text

    def test_a_suspended_account_is_told_so_with_the_right_password_only(
        self, client: Client
    ) -> None:
        member = client.sign_up()
        suspend(member)
        right = {"email": member.email, "password": PASSWORD}
        error(client.post(PATH, right), 403, "AUTHORIZATION_ERROR", "account_suspended")
        response = client.post(PATH, {**right, "password": "wrong password"})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        resume(member)
        ok(client.post(PATH, right))


class TestRejectsInput:
    def test_what_is_missing_is_named(self, client: Client) -> None:
        assert issues(client.post(PATH, {})) == {("email",): "Required", ("password",): "Required"}

    def test_email_and_username_exclude_each_other(self, client: Client) -> None:
        response = client.post(PATH, {"email": "a@x.com", "username": "ada", "password": PASSWORD})
        assert set(issues(response)) == {("username",)}

    def test_a_fault_of_the_email_is_one_fault(self, client: Client) -> None:
        assert issues(client.post(PATH, {"email": 5, "password": PASSWORD})) == {
            ("email",): "Not a string"
        }

    def test_unknown_fields_are_faults(self, client: Client) -> None:
        response = client.post(PATH, {"email": "a@x.com", "password": PASSWORD, "remember": True})
        assert issues(response) == {("remember",): "Unknown field"}
