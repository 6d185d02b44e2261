"""POST /api/auth/token/refresh"""

import pytest
import time_machine

from tests.clients import Client, error, issues, ok
from tests.factories.accounts import resume, suspend
from tests.factories.tokens import split_token

PATH = "/api/auth/token/refresh"
NOON = "2026-03-01T12:00:00Z"


@pytest.fixture
def clock() -> time_machine.Traveller:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def refresh(client: Client, refresh_token: str) -> dict[str, str]:
    data: dict[str, str] = ok(client.post(PATH, {"refresh_token": refresh_token}))
    return data


def assert_refused(client: Client, refresh_token: str, reason: str) -> None:
    response = client.post(PATH, {"refresh_token": refresh_token})
    error(response, 401, "AUTHENTICATION_ERROR", reason)


class TestSucceeds:
    def test_it_gives_a_new_pair_for_the_same_session(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        member = client.sign_up()
        clock.shift(60)
        pair = refresh(client, member.refresh_token)
        assert set(pair) == {"token", "refresh_token", "token_type", "expires_in"}
        assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 3600)
        assert pair["token"] != member.token
        assert pair["refresh_token"] != member.refresh_token
        assert split_token(pair["token"])[1]["sid"] == split_token(member.token)[1]["sid"]
        ok(client.as_user(pair["token"]).get("/api/auth/me"))

    def test_the_last_spent_token_gets_the_same_successor_for_20_seconds(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        """S13: two tabs or a lost answer are not a theft."""
        member = client.sign_up()
        first = refresh(client, member.refresh_token)
        clock.shift(20)
        again = refresh(client, member.refresh_token)
        assert (again["token"], again["refresh_token"]) == (first["token"], first["refresh_token"])
        assert again["expires_in"] == 3580
        refresh(client, first["refresh_token"])

    def test_a_session_goes_on_as_long_as_it_is_refreshed(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        token = client.sign_up().refresh_token
        for _ in range(3):
            clock.shift(604_799)
            token = refresh(client, token)["refresh_token"]

    def test_an_access_token_that_was_followed_by_another_lives_its_hour(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        member = client.sign_up()
        refresh(client, member.refresh_token)
        ok(member.client.get("/api/auth/me"))


class TestRefusesReuse:
    def test_reusing_a_spent_token_ends_the_session_for_good(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        """S13: reuse ends the session and is committed with the refusal."""
        member = client.sign_up()
        pair = refresh(client, member.refresh_token)
        clock.shift(21)
        assert_refused(client, member.refresh_token, "reused")
        me = client.as_user(pair["token"]).get("/api/auth/me")
        error(me, 401, "AUTHENTICATION_ERROR", "revoked")
        assert_refused(client, pair["refresh_token"], "revoked")
        assert_refused(client, member.refresh_token, "reused")

    def test_a_token_before_the_last_is_reuse_at_any_time(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        """S13: only the last spent token has a grace."""
        member = client.sign_up()
        second = refresh(client, member.refresh_token)
        third = refresh(client, second["refresh_token"])
        assert_refused(client, member.refresh_token, "reused")
        assert_refused(client, third["refresh_token"], "revoked")

    def test_reuse_is_one_event_and_other_sessions_go_on(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        member = client.sign_up()
        other = client.log_in(member)
        refresh(client, member.refresh_token)
        clock.shift(21)
        assert_refused(client, member.refresh_token, "reused")
        assert_refused(client, member.refresh_token, "reused")
        events = ok(client.as_user(other["token"]).get("/api/auth/events"))
        names = [event["name"] for event in events]
        assert names.count("session:refresh_token_reused") == 1
        refresh(client, other["refresh_token"])


class TestRejectsInput:
    def test_the_token_is_required(self, client: Client) -> None:
        assert issues(client.post(PATH, {})) == {("refresh_token",): "Required"}
        assert set(issues(client.post(PATH, {"refresh_token": None, "x": 1}))) == {
            ("refresh_token",),
            ("x",),
        }

    def test_a_token_in_the_header_is_not_read(self, client: Client) -> None:
        member = client.sign_up()
        issues(client.as_user(member.refresh_token).post(PATH))


class TestRequiresAuthentication:
    def test_only_a_refresh_token_will_do(self, client: Client) -> None:
        """S12: an access token cannot stand in for a refresh token."""
        member = client.sign_up()
        assert_refused(client, member.token, "wrong_credential_type")
        assert_refused(client, member.api_key, "wrong_credential_type")
        assert_refused(client, "garbage", "malformed")
        assert_refused(client, "", "malformed")
        assert_refused(client, "a.b.c", "invalid")
        assert_refused(client, "ä.ö.ü", "invalid")

    def test_an_expired_token_says_since_when(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        member = client.sign_up()
        clock.shift(604_801)
        response = client.post(PATH, {"refresh_token": member.refresh_token})
        details = error(response, 401, "AUTHENTICATION_ERROR", "expired")
        assert details == {"reason": "expired", "expired_at": "2026-03-08T12:00:00Z"}

    def test_a_token_of_an_ended_session_is_revoked_within_its_grace_too(
        self, client: Client
    ) -> None:
        """S14: logout takes effect on the next request."""
        member = client.sign_up()
        pair = refresh(client, member.refresh_token)
        ok(client.as_user(pair["token"]).post("/api/auth/logout"), 204)
        assert_refused(client, pair["refresh_token"], "revoked")
        assert_refused(client, member.refresh_token, "revoked")

    def test_a_suspended_account_gets_no_new_pair_and_spends_no_token(self, client: Client) -> None:
        """S14: suspension takes effect on the next request."""
        member = client.sign_up()
        suspend(member)
        response = client.post(PATH, {"refresh_token": member.refresh_token})
        error(response, 403, "AUTHORIZATION_ERROR", "account_suspended")
        resume(member)
        refresh(client, member.refresh_token)
