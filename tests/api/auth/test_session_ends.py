"""How sessions end: when idle, in the end, by their owner and by an operator."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import time_machine
from flask import Flask

from tests.clients import Client, error, ok
from tests.factories.accounts import suspend
from tests.factories.commands import run
from tests.factories.tokens import split_token

PATH = "/api/auth/token/refresh"
NOON = datetime.fromisoformat("2026-03-01T12:00:00Z")
ACCESS, IDLE, ABSOLUTE = 600, 3600, 7200
NOBODY = "acc_01h455vb4pex5vsknk084sn02q"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def short(share_app: Callable[..., Flask]) -> Client:
    """A client of a service whose sessions are short."""
    return Client(
        share_app(access_token_seconds=ACCESS, refresh_token_seconds=IDLE, session_seconds=ABSOLUTE)
    )


def refresh(client: Client, refresh_token: str) -> dict[str, str]:
    data: dict[str, str] = ok(client.post(PATH, {"refresh_token": refresh_token}))
    return data


def assert_expired(client: Client, refresh_token: str, seconds: int) -> None:
    response = client.post(PATH, {"refresh_token": refresh_token})
    details = error(response, 401, "AUTHENTICATION_ERROR", "expired")
    assert details["expired_at"] == f"{NOON + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def expires_at(token: str) -> int:
    """The seconds after noon at which a token expires."""
    seconds: int = split_token(token)[1]["exp"]
    return seconds - int(NOON.timestamp())


class TestIdleEnd:
    def test_a_session_that_is_not_refreshed_ends(
        self, short: Client, clock: time_machine.Traveller
    ) -> None:
        """S15: an idle end."""
        member = short.sign_up()
        clock.shift(IDLE - 1)
        refresh(short, short.sign_up().refresh_token)
        clock.shift(1)
        assert_expired(short, member.refresh_token, IDLE)
        assert expires_at(member.refresh_token) == IDLE


class TestAbsoluteEnd:
    def test_no_refresh_carries_a_session_past_it(
        self, short: Client, clock: time_machine.Traveller
    ) -> None:
        """S15: an absolute end."""
        token = short.sign_up().refresh_token
        ends = []
        for _ in range(3):
            clock.shift(2000)
            token = refresh(short, token)["refresh_token"]
            ends.append(expires_at(token))
        assert ends == [2000 + IDLE, ABSOLUTE, ABSOLUTE]
        clock.shift(ABSOLUTE - 6000 - 1)
        token = refresh(short, token)["refresh_token"]
        clock.shift(1)
        assert_expired(short, token, ABSOLUTE)

    def test_no_access_token_lives_longer_than_its_session(
        self, short: Client, clock: time_machine.Traveller
    ) -> None:
        """S15"""
        token = short.sign_up().refresh_token
        for _ in range(2):
            clock.shift(3500)
            pair = refresh(short, token)
            token = pair["refresh_token"]
        assert expires_at(pair["token"]) == ABSOLUTE
        assert pair["expires_in"] == ABSOLUTE - 7000
        clock.shift(199)
        user = short.as_user(pair["token"])
        (session,) = ok(user.get("/api/auth/sessions"))
        assert session["expires_at"] == "2026-03-01T14:00:00Z"
        clock.shift(1)
        error(user.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "expired")

    def test_of_many_refreshes_near_it_all_get_the_same_successor(
        self, short: Client, clock: time_machine.Traveller
    ) -> None:
        """S13: what ends a pair is derived from the row alone."""
        token = short.sign_up().refresh_token
        for _ in range(2):
            clock.shift(3500)
            spent, token = token, refresh(short, token)["refresh_token"]
        with ThreadPoolExecutor(8) as threads:
            pairs = list(threads.map(lambda _: refresh(short, token), range(8)))
        assert len({(pair["token"], pair["refresh_token"]) for pair in pairs}) == 1
        clock.shift(20)
        again = refresh(short, token)
        assert again["refresh_token"] == pairs[0]["refresh_token"]
        assert again["token"] == pairs[0]["token"]
        assert spent != token

    def test_one_shorter_than_the_idle_end_goes_first(
        self, make_app: Callable[..., Flask], clock: time_machine.Traveller
    ) -> None:
        client = Client(make_app(session_seconds=60))
        member = client.sign_up()
        assert expires_at(member.token) == expires_at(member.refresh_token) == 60
        clock.shift(60)
        error(member.client.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "expired")
        assert_expired(client, member.refresh_token, 60)

    def test_an_operator_who_shortens_it_means_running_sessions_too(
        self, client: Client, make_app: Callable[..., Flask], clock: time_machine.Traveller
    ) -> None:
        old, fresh = client.sign_up(), client.sign_up()
        clock.shift(ABSOLUTE)
        restarted = Client(make_app(session_seconds=ABSOLUTE))
        assert_expired(restarted, old.refresh_token, ABSOLUTE)
        assert_expired(restarted, fresh.refresh_token, ABSOLUTE)
        refresh(restarted, restarted.log_in(old)["refresh_token"])

    def test_the_default_is_thirty_days(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        """S15"""
        token = client.sign_up().refresh_token
        for _ in range(4):
            clock.shift(timedelta(days=6))
            token = refresh(client, token)["refresh_token"]
        clock.shift(timedelta(days=6))
        assert_expired(client, token, 30 * 86_400)


class TestEndedByAnOperator:
    def test_every_token_is_refused_from_the_next_request_on(self, client: Client) -> None:
        """S14"""
        member, other = client.sign_up(), client.sign_up()
        second = client.log_in(member)
        output = run(client.app, "accounts", "end-sessions", member.email, "--yes")
        assert output == f"2 sessions of {member.email} are ended\n"
        for caller in (member.client, client.as_user(second["token"])):
            error(caller.get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "revoked")
        for token in (member.refresh_token, second["refresh_token"]):
            response = client.post(PATH, {"refresh_token": token})
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        ok(other.client.get("/api/auth/me"))
        ok(member.key_client.get("/api/v1/me"))

    @pytest.mark.both_databases
    def test_its_owner_logs_in_again_and_finds_it_in_the_history(self, client: Client) -> None:
        member = client.sign_up()
        run(client.app, "accounts", "end-sessions", member.id, "--yes")
        again = client.as_user(client.log_in(member)["token"])
        (event,) = [
            event
            for event in ok(again.get("/api/auth/events"))
            if event["name"] == "session:all_ended"
        ]
        assert (event["user_agent"], event["details"]) == ("operator", {"count": 1})

    def test_an_account_that_is_not_there_is_named(self, client: Client) -> None:
        result = client.app.test_cli_runner().invoke(
            args=["accounts", "end-sessions", NOBODY, "--yes"]
        )
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == f"Error: there is no account {NOBODY}\n"

    def test_a_suspended_account_neither_goes_on_nor_refreshes(self, client: Client) -> None:
        """S14"""
        member = client.sign_up()
        suspend(member)
        for response in (
            member.client.get("/api/auth/me"),
            client.post(PATH, {"refresh_token": member.refresh_token}),
            member.key_client.get("/api/v1/me"),
        ):
            error(response, 403, "AUTHORIZATION_ERROR", "account_suspended")
