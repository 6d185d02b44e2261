"""GET and DELETE /api/auth/sessions, DELETE /api/auth/sessions/{id}"""

import pytest
import time_machine

from tests.clients import (
    Client,
    assert_needs_access_token,
    assert_same_answer,
    error,
    issues,
    ok,
)

PATH = "/api/auth/sessions"
NO_SESSION = f"{PATH}/ses_01h455vb4pex5vsknk084sn02q"


def session_ids(client: Client) -> list[str]:
    return [session["id"] for session in ok(client.get(PATH))]


class TestSucceeds:
    @pytest.mark.both_databases
    def test_the_own_sessions_are_listed_newest_first(self, client: Client) -> None:
        """S15: sessions can be listed."""
        member = client.sign_up()
        client.log_in(member)
        sessions = ok(member.client.get(PATH, headers={"User-Agent": "irrelevant"}))
        assert all(
            set(session)
            == {"id", "created_at", "last_used_at", "expires_at", "ip", "user_agent", "current"}
            for session in sessions
        )
        assert [session["current"] for session in sessions] == [False, True]
        assert sessions[0]["id"].startswith("ses_")

    def test_a_session_tells_where_it_was_opened(self, client: Client) -> None:
        member = client.sign_up()
        body = {"email": member.email, "password": member.password}
        ok(client.post("/api/auth/login", body, headers={"User-Agent": "Firefox " * 60 + "é"}))
        newest = ok(member.client.get(PATH))[0]
        assert newest["ip"] == "127.0.0.1"
        assert newest["user_agent"] == ("Firefox " * 60)[:400]

    def test_a_refresh_shows_in_the_times(self, client: Client) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            member = client.sign_up()
            clock.shift(600)
            body = {"refresh_token": member.refresh_token}
            ok(client.post("/api/auth/token/refresh", body))
            (session,) = ok(member.client.get(PATH))
        assert session["created_at"] == "2026-03-01T12:00:00Z"
        assert session["last_used_at"] == "2026-03-01T12:10:00Z"
        assert session["expires_at"] == "2026-03-08T12:10:00Z"

    def test_one_session_can_be_ended(self, client: Client) -> None:
        """S15: sessions can be ended one by one. S14: from the next request on."""
        member = client.sign_up()
        other = client.log_in(member)
        other_id, own_id = session_ids(member.client)
        ok(member.client.delete(f"{PATH}/{other_id}"), 204)
        response = client.as_user(other["token"]).get("/api/auth/me")
        error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        assert session_ids(member.client) == [own_id]
        assert member.event_names()[0] == "session:ended"

    @pytest.mark.every_database
    def test_the_present_session_can_be_ended(self, client: Client) -> None:
        member = client.sign_up()
        ok(member.client.delete(f"{PATH}/{session_ids(member.client)[0]}"), 204)
        error(member.client.get(PATH), 401, "AUTHENTICATION_ERROR", "revoked")

    def test_all_others_can_be_ended(self, client: Client) -> None:
        member = client.sign_up()
        others = [client.log_in(member) for _ in range(2)]
        ok(member.client.delete(PATH), 204)
        for other in others:
            response = client.as_user(other["token"]).get(PATH)
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        assert len(session_ids(member.client)) == 1
        assert member.event_names()[0] == "session:all_ended"

    @pytest.mark.every_database
    def test_all_others_may_be_none(self, client: Client) -> None:
        member = client.sign_up()
        ok(member.client.delete(f"{PATH}?all=false"), 204)
        ok(member.client.get(PATH))

    def test_with_all_the_present_one_ends_too(self, client: Client) -> None:
        member = client.sign_up()
        other = client.log_in(member)
        ok(member.client.delete(f"{PATH}?all=true"), 204)
        for token in (member.token, other["token"]):
            error(client.as_user(token).get(PATH), 401, "AUTHENTICATION_ERROR", "revoked")

    def test_an_expired_session_is_not_listed(self, client: Client) -> None:
        """S15: a session has an end."""
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            member = client.sign_up()
            clock.shift(604_801)
            assert len(session_ids(client.as_user(client.log_in(member)["token"]))) == 1


class TestRejectsInput:
    def test_an_id_of_another_form_is_a_fault(self, client: Client) -> None:
        member = client.sign_up()
        for text in ("x", "key_01h455vb4pex5vsknk084sn02q", "ses_01H455VB4PEX5VSKNK084SN02Q"):
            assert set(issues(member.client.delete(f"{PATH}/{text}"))) == {("session_id",)}

    def test_all_is_true_or_false(self, client: Client) -> None:
        member = client.sign_up()
        for text in ("1", "True", "", "yes"):
            assert set(issues(member.client.delete(f"{PATH}?all={text}"))) == {("all",)}
        ok(member.client.get(PATH))

    def test_an_unknown_parameter_is_a_fault(self, client: Client) -> None:
        response = client.sign_up().client.delete(f"{PATH}?al=true")
        assert issues(response) == {("al",): "Unknown field"}


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "GET", PATH)
        assert_needs_access_token(client, "DELETE", PATH)
        assert_needs_access_token(client, "DELETE", NO_SESSION)


class TestEnforcesOwnership:
    def test_anothers_session_and_no_session_are_one_answer(self, client: Client) -> None:
        """S25: another account's thing and no thing are one answer."""
        member, other = client.sign_up(), client.sign_up()
        (others_id,) = session_ids(other.client)
        nothing = member.client.delete(NO_SESSION)
        error(nothing, 404, "NOT_FOUND")
        assert_same_answer(member.client.delete(f"{PATH}/{others_id}"), nothing)
        ok(other.client.get(PATH))

    def test_an_ended_session_is_no_session(self, client: Client) -> None:
        member = client.sign_up()
        client.log_in(member)
        path = f"{PATH}/{session_ids(member.client)[0]}"
        ok(member.client.delete(path), 204)
        error(member.client.delete(path), 404, "NOT_FOUND")

    def test_nobody_ends_or_sees_anothers_sessions(self, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        assert set(session_ids(member.client)).isdisjoint(session_ids(other.client))
        ok(member.client.delete(f"{PATH}?all=true"), 204)
        ok(other.client.get(PATH))
