"""POST /compat/ragchats/api/auth/token/refresh/: a refresh token that stays good."""

import threading

import pytest
import time_machine
from werkzeug.test import TestResponse

from tests.clients import Client, Member, error, ok
from tests.factories.accounts import resume, suspend
from tests.factories.tokens import split_token

REFRESH = "/compat/ragchats/api/auth/token/refresh/"
AGENTS = "/compat/ragchats/api/agents/"
NOON = "2026-03-01T12:00:00Z"


@pytest.fixture
def clock() -> time_machine.Traveller:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def log_in(faces: Client, member: Member) -> dict[str, str]:
    body = {"email": member.email, "password": member.password}
    response = faces.post("/compat/ragchats/api/auth/login/", body)
    assert response.status_code == 200
    tokens: dict[str, str] = response.get_json()
    return tokens


def renew(faces: Client, refresh_token: str) -> TestResponse:
    return faces.post(REFRESH, {"refresh": refresh_token})


def renewed(faces: Client, refresh_token: str) -> str:
    response = renew(faces, refresh_token)
    assert response.status_code == 200, response.text
    access: str = response.get_json()["access"]
    return access


def assert_refused(response: TestResponse, word: str, status: int = 401) -> None:
    assert response.status_code == status, response.text
    assert response.get_json()["error"] == word


class TestStaysGood:
    def test_each_use_gives_a_further_access_token_of_an_hour(
        self, faces: Client, clock: time_machine.Traveller
    ) -> None:
        tokens = log_in(faces, faces.sign_up())
        seen = {tokens["access"]}
        for _ in range(3):
            clock.shift(3600)
            access = renewed(faces, tokens["refresh"])
            seen.add(access)
            assert faces.as_user(access).get(AGENTS).status_code == 200
            claims = split_token(access)[1]
            assert claims["exp"] - claims["iat"] == 3600
            assert claims["type"] == "access"
        assert len(seen) == 4

    def test_it_ends_after_seven_days(self, faces: Client, clock: time_machine.Traveller) -> None:
        """S15: a session has an end, however often its access token was renewed."""
        tokens = log_in(faces, faces.sign_up())
        clock.shift(604_799)
        access = renewed(faces, tokens["refresh"])
        clock.shift(2)
        response = renew(faces, tokens["refresh"])
        assert_refused(response, "token_expired")
        assert response.get_json()["details"] == {"expired_at": "2026-03-08T12:00:00Z"}
        assert_refused(faces.as_user(access).get(AGENTS), "token_expired")

    def test_the_session_tells_when_it_was_used_last(
        self, faces: Client, clock: time_machine.Traveller
    ) -> None:
        tokens = log_in(faces, faces.sign_up())
        clock.shift(1800)
        access = renewed(faces, tokens["refresh"])
        sessions = ok(faces.as_user(access).get("/api/auth/sessions"))
        current = next(session for session in sessions if session["current"])
        assert current["last_used_at"] == "2026-03-01T12:30:00Z"

    @pytest.mark.both_databases
    def test_many_uses_at_once_all_succeed_and_spend_nothing(self, faces: Client) -> None:
        """S13: no use of it here makes a second live refresh token."""
        tokens = log_in(faces, faces.sign_up())
        statuses: list[int] = []

        def use() -> None:
            statuses.append(renew(faces, tokens["refresh"]).status_code)

        threads = [threading.Thread(target=use) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 8
        ok(faces.post("/api/auth/token/refresh", {"refresh_token": tokens["refresh"]}))


class TestDies:
    def test_a_logout_on_any_face_kills_it(self, faces: Client) -> None:
        """S14: logout takes effect on the next request."""
        for path in ("/compat/ragchats/api/auth/logout/", "/api/auth/logout"):
            tokens = log_in(faces, faces.sign_up())
            access = renewed(faces, tokens["refresh"])
            assert faces.as_user(access).post(path).status_code == 204
            assert_refused(renew(faces, tokens["refresh"]), "token_revoked")
            for token in (access, tokens["access"]):
                assert_refused(faces.as_user(token).get(AGENTS), "token_revoked")
            assert faces.as_user(access).post(path).status_code == 204

    @pytest.mark.both_databases
    def test_a_logout_amid_refreshes_is_the_last_word(self, faces: Client) -> None:
        """S14: no access token that came of a race outlives the logout."""
        tokens = log_in(faces, faces.sign_up())
        given: list[str] = []

        def use() -> None:
            for _ in range(4):
                response = renew(faces, tokens["refresh"])
                assert response.status_code in (200, 401)
                given.extend(response.get_json().get("access", "").split())

        threads = [threading.Thread(target=use) for _ in range(3)]
        for thread in threads:
            thread.start()
        response = faces.as_user(tokens["access"]).post("/compat/ragchats/api/auth/logout/")
        assert response.status_code == 204
        assert_refused(renew(faces, tokens["refresh"]), "token_revoked")
        for thread in threads:
            thread.join()
        for access in given:
            assert_refused(faces.as_user(access).get(AGENTS), "token_revoked")

    def test_a_suspended_account_gets_none_and_loses_none(self, faces: Client) -> None:
        """S14: suspension takes effect on the next request."""
        member = faces.sign_up()
        tokens = log_in(faces, member)
        suspend(member)
        assert_refused(renew(faces, tokens["refresh"]), "account_suspended", 403)
        resume(member)
        renewed(faces, tokens["refresh"])

    def test_only_a_refresh_token_will_do(self, faces: Client) -> None:
        """S12: an access token cannot stand in for a refresh token."""
        member = faces.sign_up()
        tokens = log_in(faces, member)
        for token, word in [
            (tokens["access"], "token_wrong_credential_type"),
            (member.api_key, "token_wrong_credential_type"),
            ("garbage", "token_malformed"),
            ("a.b.c", "token_invalid"),
        ]:
            assert_refused(renew(faces, token), word)
        assert_refused(faces.as_user(tokens["refresh"]).get(AGENTS), "token_wrong_credential_type")


class TestSpentElsewhere:
    """Used at /api/auth/token/refresh, it rotates, and is spent here too."""

    def rotate(self, faces: Client, refresh_token: str) -> dict[str, str]:
        pair: dict[str, str] = ok(
            faces.post("/api/auth/token/refresh", {"refresh_token": refresh_token})
        )
        return pair

    def test_its_successor_is_good_here(self, faces: Client) -> None:
        tokens = log_in(faces, faces.sign_up())
        successor = self.rotate(faces, tokens["refresh"])["refresh_token"]
        renewed(faces, successor)
        self.rotate(faces, successor)

    def test_for_20_seconds_it_still_gives_an_access_token_and_no_successor(
        self, faces: Client, clock: time_machine.Traveller
    ) -> None:
        """S13: a lost answer is no theft, and never yields two live successors."""
        tokens = log_in(faces, faces.sign_up())
        pair = self.rotate(faces, tokens["refresh"])
        clock.shift(20)
        renewed(faces, tokens["refresh"])
        self.rotate(faces, pair["refresh_token"])

    @pytest.mark.both_databases
    def test_after_that_it_ends_the_session_for_good(
        self, faces: Client, clock: time_machine.Traveller
    ) -> None:
        """S13: reuse ends the session and is committed with the refusal."""
        member = faces.sign_up()
        tokens = log_in(faces, member)
        pair = self.rotate(faces, tokens["refresh"])
        clock.shift(21)
        assert_refused(renew(faces, tokens["refresh"]), "token_reused")
        assert_refused(renew(faces, pair["refresh_token"]), "token_revoked")
        response = faces.as_user(pair["token"]).get("/api/auth/me")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        assert member.event_names().count("session:refresh_token_reused") == 1

    def test_one_before_the_last_is_reuse_at_any_time(
        self, faces: Client, clock: time_machine.Traveller
    ) -> None:
        """S13: only the last spent token has a grace."""
        tokens = log_in(faces, faces.sign_up())
        second = self.rotate(faces, tokens["refresh"])["refresh_token"]
        self.rotate(faces, second)
        assert_refused(renew(faces, tokens["refresh"]), "token_reused")
