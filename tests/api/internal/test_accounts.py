"""What a service of the operator's asks and sets."""

import pytest

from tests.cases import for_each
from tests.clients import Client, assert_same_answer, error, issues, ok
from tests.factories.api_keys import make_service_key


@pytest.fixture
def service(client: Client) -> Client:
    return client.as_key(make_service_key(client.app, "accounts"))


class TestSucceeds:
    @pytest.mark.both_databases
    def test_lists_accounts_newest_first_or_the_one_with_an_email(
        self, client: Client, service: Client
    ) -> None:
        members = [client.sign_up() for _ in range(3)]
        accounts = ok(service.get("/api/v1/internal/accounts"))
        assert [account["id"] for account in accounts] == [member.id for member in members[::-1]]
        assert accounts[0]["status"] == "active"
        [one] = ok(service.get(f"/api/v1/internal/accounts?email={members[1].email.upper()}"))
        assert one["id"] == members[1].id
        assert ok(service.get("/api/v1/internal/accounts?email=nobody@example.com")) == []
        assert ok(service.get("/api/v1/internal/accounts?email=no-address")) == []

    def test_a_plan_counts_from_the_next_request_on(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        path = f"/api/v1/internal/accounts/{member.id}"
        assert ok(service.patch(path, {"plan": "pro"}))["plan"] == "pro"
        assert ok(member.key_client.get("/api/v1/me"))["limits"]["requests_per_minute"] == 1_200
        assert member.event_names()[0] == "account:plan_changed"

    def test_a_suspended_account_is_refused_until_it_is_resumed(
        self, client: Client, service: Client
    ) -> None:
        member = client.sign_up()
        path = f"/api/v1/internal/accounts/{member.id}"
        assert ok(service.patch(path, {"status": "suspended"}))["status"] == "suspended"
        for caller, route in ((member.client, "/api/auth/me"), (member.key_client, "/api/v1/me")):
            error(caller.get(route), 403, "AUTHORIZATION_ERROR", "account_suspended")
        ok(service.patch(path, {"status": "active"}))
        ok(member.client.get("/api/auth/me"))

    def test_a_deleted_account_is_gone(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        ok(member.client.post("/api/auth/me/delete", {"password": member.password}), 204)
        error(service.get(f"/api/v1/internal/accounts/{member.id}"), 404, "NOT_FOUND")
        assert ok(service.get("/api/v1/internal/accounts")) == []


class TestRejectsInput:
    @for_each(
        ("body", "path"),
        [
            ({"plan": "gold"}, "plan"),
            ({"plan": None}, "plan"),
            ({"status": "deleted"}, "status"),
            ({"email": "x@example.com"}, "email"),
        ],
    )
    def test_what_does_not_fit_is_named_and_changes_nothing(
        self, client: Client, service: Client, body: dict[str, object], path: str
    ) -> None:
        member = client.sign_up()
        url = f"/api/v1/internal/accounts/{member.id}"
        assert set(issues(service.patch(url, {"plan": "pro", **body}))) == {(path,)}
        assert ok(service.get(url))["plan"] == "trial"


class TestRequiresAServiceKey:
    @for_each("scope", ["verify", "usage"])
    def test_with_the_scope_accounts(self, client: Client, scope: str) -> None:
        other = client.as_key(make_service_key(client.app, scope))
        error(
            other.get("/api/v1/internal/accounts"),
            403,
            "AUTHORIZATION_ERROR",
            "insufficient_scope",
        )

    def test_of_no_customer(self, client: Client) -> None:
        error(
            client.sign_up().key_client.get("/api/v1/internal/accounts"),
            401,
            "AUTHENTICATION_ERROR",
            "wrong_credential_type",
        )
        error(client.get("/api/v1/internal/accounts"), 401, "AUTHENTICATION_ERROR", "missing")

    def test_no_account_and_a_deleted_one_are_the_same(
        self, client: Client, service: Client
    ) -> None:
        member = client.sign_up()
        ok(member.client.post("/api/auth/me/delete", {"password": member.password}), 204)
        assert_same_answer(
            service.get(f"/api/v1/internal/accounts/{member.id}"),
            service.get("/api/v1/internal/accounts/acc_01h455vb4pex5vsknk084sn02q"),
        )
