"""POST /api/auth/me/delete"""

from tests.clients import PASSWORD, Client, assert_needs_access_token, error, issues, ok

PATH = "/api/auth/me/delete"


class TestSucceeds:
    def test_every_token_and_key_is_dead_at_once(self, client: Client) -> None:
        """S14 and S20: deletion takes effect on the next request."""
        member = client.sign_up()
        other_session = client.log_in(member)
        agent = member.create_agent()
        agent_key = member.create_key(agent_id=agent["id"])["api_key"]
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        for token in (member.token, other_session["token"]):
            response = client.as_user(token).get("/api/auth/me")
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        for refresh_token in (member.refresh_token, other_session["refresh_token"]):
            response = client.post("/api/auth/token/refresh", {"refresh_token": refresh_token})
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")
        for key in (member.api_key, agent_key):
            response = client.as_key(key).get("/api/v1/authorize")
            error(response, 401, "AUTHENTICATION_ERROR", "revoked")

    def test_nobody_can_log_in_to_it_and_the_answer_is_that_of_no_account(
        self, client: Client
    ) -> None:
        member = client.sign_up()
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        response = client.post("/api/auth/login", {"email": member.email, "password": PASSWORD})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")

    def test_address_and_username_are_free_again(self, client: Client) -> None:
        member = client.sign_up(username="ada1815")
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        assert client.sign_up(email=member.email, username="ada1815").id != member.id

    def test_other_accounts_are_untouched(self, client: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        ok(member.client.post(PATH, {"password": PASSWORD}), 204)
        ok(other.client.get("/api/auth/me"))
        assert other.key_client.get("/api/v1/authorize").status_code == 200


class TestRejectsInput:
    def test_a_wrong_password_deletes_nothing(self, client: Client) -> None:
        member = client.sign_up()
        response = member.client.post(PATH, {"password": "wrong password"})
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        ok(member.client.get("/api/auth/me"))

    def test_the_password_is_required(self, client: Client) -> None:
        member = client.sign_up()
        assert issues(member.client.post(PATH)) == {("password",): "Required"}
        assert set(issues(member.client.post(PATH, {"password": PASSWORD, "force": True}))) == {
            ("force",)
        }
        ok(member.client.get("/api/auth/me"))


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "POST", PATH, {"password": PASSWORD})
