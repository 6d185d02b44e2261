"""GET and PATCH /api/auth/me"""

import pytest

from tests.cases import for_each
from tests.clients import Client, assert_needs_access_token, error, issues, ok
from tests.factories.accounts import resume, set_plan, suspend

PATH = "/api/auth/me"


class TestSucceeds:
    def test_it_shows_the_account(self, client: Client) -> None:
        member = client.sign_up(name="Ada")
        account = ok(member.client.get(PATH))
        assert set(account) == {
            *("id", "email", "username", "name", "plan", "email_verified", "created_at"),
        }
        assert account["id"] == member.id

    @pytest.mark.both_databases
    def test_it_changes_the_names(self, client: Client) -> None:
        member = client.sign_up()
        before = ok(member.client.get(PATH))
        changed = ok(member.client.patch(PATH, {"name": "Ada L.", "username": "Ada1815"}))
        assert changed == {**before, "name": "Ada L.", "username": "Ada1815"}
        assert ok(member.client.get(PATH)) == changed
        ok(client.post("/api/auth/login", {"username": "ada1815", "password": member.password}))
        assert member.event_names()[1] == "account:changed"

    def test_what_is_not_named_stays(self, client: Client) -> None:
        member = client.sign_up(name="Ada", username="ada1815")
        assert ok(member.client.patch(PATH, {"name": "Augusta"}))["username"] == "ada1815"
        before = ok(member.client.get(PATH))
        assert ok(member.client.patch(PATH, {})) == before

    def test_null_takes_a_name_away_and_frees_it(self, client: Client) -> None:
        member = client.sign_up(name="Ada", username="ada1815")
        changed = ok(member.client.patch(PATH, {"name": None, "username": None}))
        assert changed["name"] is None
        assert changed["username"] is None
        client.sign_up(username="ADA1815")

    @pytest.mark.both_databases
    def test_the_own_username_may_change_its_case(self, client: Client) -> None:
        member = client.sign_up(username="ada1815")
        assert ok(member.client.patch(PATH, {"username": "ADA1815"}))["username"] == "ADA1815"

    def test_a_change_of_plan_shows_at_once(self, client: Client) -> None:
        member = client.sign_up()
        set_plan(member, "pro")
        assert ok(member.client.get(PATH))["plan"] == "pro"


class TestRejectsInput:
    def test_anothers_username_is_taken(self, client: Client) -> None:
        client.sign_up(username="ada1815")
        member = client.sign_up(username="grace1906")
        error(member.client.patch(PATH, {"username": "ADA1815", "name": "G"}), 409, "CONFLICT")
        account = ok(member.client.get(PATH))
        assert (account["username"], account["name"]) == ("grace1906", None)

    @for_each("field", ["email", "password", "plan", "id", "email_verified"])
    def test_only_the_names_can_be_changed(self, client: Client, field: str) -> None:
        """S26: unknown fields are refused: nobody sets `plan` by themselves."""
        member = client.sign_up()
        assert issues(member.client.patch(PATH, {field: "scale"})) == {(field,): "Unknown field"}

    def test_all_faults_are_named_at_once(self, client: Client) -> None:
        response = client.sign_up().client.patch(
            PATH, {"name": "x" * 257, "username": "no!", "a": 1}
        )
        assert set(issues(response)) == {("name",), ("username",), ("a",)}


class TestRequiresAuthentication:
    def test_it_needs_an_access_token(self, client: Client) -> None:
        assert_needs_access_token(client, "GET", PATH)
        assert_needs_access_token(client, "PATCH", PATH, {"name": "x"})

    def test_the_credential_is_asked_for_before_the_body(self, client: Client) -> None:
        error(client.patch(PATH, {"a": 1}), 401, "AUTHENTICATION_ERROR", "missing")

    def test_a_suspended_account_is_refused_from_the_next_request_on(self, client: Client) -> None:
        """S14: suspension takes effect on the next request."""
        member = client.sign_up()
        suspend(member)
        error(member.client.get(PATH), 403, "AUTHORIZATION_ERROR", "account_suspended")
        resume(member)
        ok(member.client.get(PATH))
