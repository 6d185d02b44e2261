"""POST /api/auth/logout"""

import time_machine

from tests.clients import Client, error, ok

PATH = "/api/auth/logout"


def assert_ended(client: Client, token: str, refresh_token: str) -> None:
    response = client.as_user(token).get("/api/auth/me")
    error(response, 401, "AUTHENTICATION_ERROR", "revoked")
    response = client.post("/api/auth/token/refresh", {"refresh_token": refresh_token})
    error(response, 401, "AUTHENTICATION_ERROR", "revoked")


class TestSucceeds:
    def test_with_the_access_token_both_are_refused_from_now_on(self, client: Client) -> None:
        """S14: logout takes effect on the next request."""
        member = client.sign_up()
        ok(member.client.post(PATH), 204)
        assert_ended(client, member.token, member.refresh_token)

    def test_with_the_refresh_token_both_are_refused_from_now_on(self, client: Client) -> None:
        """S14: logout takes effect on the next request."""
        member = client.sign_up()
        ok(client.as_user(member.refresh_token).post(PATH), 204)
        assert_ended(client, member.token, member.refresh_token)

    def test_tokens_of_earlier_generations_are_refused_too(self, client: Client) -> None:
        member = client.sign_up()
        pair = ok(client.post("/api/auth/token/refresh", {"refresh_token": member.refresh_token}))
        ok(member.client.post(PATH), 204)
        assert_ended(client, pair["token"], pair["refresh_token"])

    def test_a_token_that_is_dead_already_is_fine(self, client: Client) -> None:
        member = client.sign_up()
        ok(member.client.post(PATH), 204)
        ok(member.client.post(PATH), 204)
        ok(client.as_user(member.refresh_token).post(PATH), 204)

    def test_an_expired_token_is_fine_and_ends_its_session(self, client: Client) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            member = client.sign_up()
            clock.shift(3601)
            ok(member.client.post(PATH), 204)
            assert_ended_refresh = client.post(
                "/api/auth/token/refresh", {"refresh_token": member.refresh_token}
            )
            error(assert_ended_refresh, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_other_sessions_go_on(self, client: Client) -> None:
        member = client.sign_up()
        other = client.log_in(member)
        ok(member.client.post(PATH), 204)
        ok(client.as_user(other["token"]).get("/api/auth/me"))

    def test_it_is_one_event(self, client: Client) -> None:
        member = client.sign_up()
        other = client.as_user(client.log_in(member)["token"])
        ok(member.client.post(PATH), 204)
        ok(member.client.post(PATH), 204)
        names = [event["name"] for event in ok(other.get("/api/auth/events"))]
        assert names.count("session:ended") == 1


class TestRequiresAuthentication:
    def test_it_needs_a_token_of_ours(self, client: Client) -> None:
        member = client.sign_up()
        error(client.post(PATH), 401, "AUTHENTICATION_ERROR", "missing")
        for caller, reason in (
            (client.as_user(member.api_key), "wrong_credential_type"),
            (client.as_key(member.api_key), "wrong_credential_type"),
            (client.as_user("garbage"), "malformed"),
            (client.as_user("a.b.c"), "invalid"),
            (client.as_user(member.token[:-4] + "AAAA"), "invalid"),
        ):
            error(caller.post(PATH), 401, "AUTHENTICATION_ERROR", reason)
        ok(member.client.get("/api/auth/me"))
