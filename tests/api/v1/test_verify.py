"""POST /api/v1/keys/verify"""

import json

import pytest
import time_machine

from tests.cases import for_each
from tests.clients import Client, error, issues, ok
from tests.factories.accounts import suspend
from tests.factories.api_keys import make_service_key, mistyped, unknown_key

PATH = "/api/v1/keys/verify"
ANSWER = ("valid", "code", "reason", "message", "details", "status", "headers", "body")
MEMBERS = {
    *ANSWER,
    *(
        "account_id",
        "key_id",
        "agent_id",
        "plan",
        "features",
        "scopes",
        "environment",
        "expires_at",
        "metadata",
        "reservation_id",
    ),
}


@pytest.fixture
def service(client: Client) -> Client:
    """A service that may ask."""
    return client.as_key(make_service_key(client.app, "verify"))


def ask(service: Client, key: str, **question: object) -> dict[str, object]:
    verdict: dict[str, object] = ok(service.post(PATH, {"key": key, **question}))
    assert set(verdict) == MEMBERS
    assert isinstance(verdict["headers"], dict)
    # The refusal is told twice: to the service's program, and as what its client is to read.
    refusal = {name: verdict[name] for name in ("code", "message", "details")}
    if verdict["valid"]:
        assert refusal == {"code": "VALID", "message": None, "details": None}
        assert (verdict["reason"], verdict["body"]) == (None, None)
    else:
        assert verdict["body"] == {"error": refusal}
        assert verdict["reason"] == verdict["details"].get("reason")
    return verdict


def assert_refused(verdict: dict[str, object], status: int, code: str) -> None:
    assert (verdict["valid"], verdict["status"], verdict["code"]) == (False, status, code)


class TestSucceeds:
    def test_a_good_key_is_told_with_its_owner(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        key = member.create_key(
            agent_id=agent["id"],
            scopes=["query"],
            environment="test",
            expires_at="2999-01-01T00:00:00Z",
        )
        verdict = ask(service, key["api_key"], scope="query", agent_id=agent["id"], cost=0)
        assert {**verdict, "headers": None} == {
            "valid": True,
            "code": "VALID",
            "reason": None,
            "message": None,
            "details": None,
            "status": 200,
            "headers": None,
            "body": None,
            "account_id": member.id,
            "key_id": key["id"],
            "agent_id": agent["id"],
            "plan": "trial",
            "features": [],
            "scopes": ["query"],
            "environment": "test",
            "expires_at": "2999-01-01T00:00:00Z",
            "metadata": None,
            "reservation_id": None,
        }

    def test_a_key_without_a_list_has_all_scopes(self, client: Client, service: Client) -> None:
        verdict = ask(service, client.sign_up().api_key)
        assert verdict["scopes"] == ["query", "ingest", "manage"]
        assert verdict["agent_id"] is None
        assert verdict["expires_at"] is None

    def test_null_stands_for_nothing_asked(self, client: Client, service: Client) -> None:
        member = client.sign_up()
        for name in ("scope", "agent_id", "cost", "client_ip", "origin"):
            assert ask(service, member.api_key, **{name: None})["valid"]
            # Past the gate, by the route itself.
            body = json.dumps({"key": member.api_key, name: None}).replace("rag_", "\\u0072ag_")
            assert ok(service.post(PATH, data=body, content_type="application/json"))["valid"]
        assert ok(member.key_client.get("/api/v1/me"))["usage"]["this_month"] == 10

    def test_what_is_to_be_relayed_is_what_the_client_would_have_been_told(
        self, client: Client, service: Client
    ) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            member = client.sign_up()
            short = member.create_key(expires_at="2026-03-01T12:00:30Z")["api_key"]
            clock.shift(30)
            bound = member.create_key(agent_id=member.create_agent()["id"])["api_key"]
            cases = [
                (unknown_key(), {}),
                (mistyped(member.api_key), {}),
                ("rag_live_short", {}),
                (short, {}),
                (bound, {"scope": "manage"}),
                (member.create_key(scopes=["query"])["api_key"], {"scope": "ingest"}),
                (member.create_key(allowed_ips=["203.0.113.1"])["api_key"], {}),
                (member.api_key, {"cost": 2000}),
            ]
            for key, question in cases:
                verdict = ask(service, key, **question)
                query = "&".join(f"{name}={value}" for name, value in question.items())
                told = client.as_key(key).get(f"/api/v1/authorize?{query}")
                assert (verdict["status"], verdict["body"]) == (told.status_code, told.get_json())
                assert all(
                    told.headers[name] == verdict["headers"][name] for name in verdict["headers"]
                )

    def test_the_clients_address_counts_and_not_the_services(
        self, client: Client, service: Client
    ) -> None:
        """S22: the address is the one that the service tells."""
        key = client.sign_up().create_key(allowed_ips=["203.0.113.0/24"])["api_key"]
        assert ask(service, key, client_ip="203.0.113.9")["valid"]
        assert ask(service, key, client_ip="::ffff:203.0.113.9")["valid"]
        for address in (None, "127.0.0.1", "", "203.0.113.9, 127.0.0.1", "x"):
            assert_refused(ask(service, key, client_ip=address), 403, "AUTHORIZATION_ERROR")
        assert_refused(ask(service, key), 403, "AUTHORIZATION_ERROR")

    def test_the_clients_origin_counts_and_not_the_services(
        self, client: Client, service: Client
    ) -> None:
        """S21: origin checks fail closed."""
        member = client.sign_up()
        origin = "https://shop.example.com"
        key = member.create_key(
            kind="publishable", agent_id=member.create_agent()["id"], allowed_origins=[origin]
        )["api_key"]
        for written in (origin, "HTTPS://Shop.example.com", f"{origin}/", f"{origin}:443"):
            assert ask(service, key, origin=written)["valid"]
        for other in (None, "", "null", "http://shop.example.com", f"{origin}:8443", f"{origin}/x"):
            assert_refused(ask(service, key, origin=other), 403, "AUTHORIZATION_ERROR")
        own_origin = Client(service.app, {**service.headers, "Origin": origin})
        assert_refused(ask(own_origin, key), 403, "AUTHORIZATION_ERROR")

    def test_a_refusal_is_an_answer_of_200(self, client: Client, service: Client) -> None:
        member, other = client.sign_up(), client.sign_up()
        limited = member.create_key(scopes=["query"])["api_key"]
        missing = ask(service, limited, scope="manage")
        assert_refused(missing, 403, "AUTHORIZATION_ERROR")
        assert missing["headers"]["WWW-Authenticate"] == (
            'Bearer realm="ragauth", error="insufficient_scope", scope="manage"'
        )
        agent_id = other.create_agent()["id"]
        wrong_agent = ask(service, member.api_key, agent_id=agent_id)
        assert_refused(wrong_agent, 403, "AUTHORIZATION_ERROR")
        suspend(member)
        assert_refused(ask(service, member.api_key), 403, "AUTHORIZATION_ERROR")

    @pytest.mark.both_databases
    def test_a_dead_key_is_refused_at_once(self, client: Client, service: Client) -> None:
        """S20: a dead key is refused from the moment that the answer was sent."""
        member = client.sign_up()
        assert ask(service, member.api_key)["valid"]
        ok(member.client.post("/api/auth/api-key/regenerate"))
        verdict = ask(service, member.api_key)
        assert_refused(verdict, 401, "AUTHENTICATION_ERROR")
        assert 'error="invalid_token"' in verdict["headers"]["WWW-Authenticate"]

    def test_an_expired_key_is_refused(self, client: Client, service: Client) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            key = client.sign_up().create_key(expires_at="2026-03-01T12:00:30Z")
            clock.shift(30)
            verdict = ask(service, key["api_key"])
        assert_refused(verdict, 401, "AUTHENTICATION_ERROR")
        assert verdict["expires_at"] == "2026-03-01T12:00:30Z"

    def test_what_is_no_key_is_refused_and_nothing_is_told(
        self, client: Client, service: Client
    ) -> None:
        member = client.sign_up()
        told = MEMBERS - {*ANSWER}
        cases = {
            unknown_key(): "invalid",
            **dict.fromkeys(
                (mistyped(member.api_key), member.token, f'"{member.api_key}"'), "malformed"
            ),
            **dict.fromkeys(
                ("", " ", "é", "\0", "a\0b", "\n", "\ud800", "x" * 65_000), "malformed"
            ),
        }
        for text, reason in cases.items():
            verdict = ask(service, text)
            assert_refused(verdict, 401, "AUTHENTICATION_ERROR")
            assert verdict["reason"] == reason
            assert all(verdict[name] is None for name in told)

    def test_a_services_own_key_is_no_customers(self, client: Client, service: Client) -> None:
        verdict = ask(service, make_service_key(client.app, "verify"))
        assert_refused(verdict, 401, "AUTHENTICATION_ERROR")

    def test_the_key_is_not_repeated(self, client: Client, service: Client) -> None:
        """S27: no raw key in an answer."""
        key = client.sign_up().api_key
        assert key not in service.post(PATH, {"key": key}).text


class TestRejectsInput:
    @for_each(
        ("field", "value"),
        [
            ("key", None),
            ("key", 5),
            ("key", ["x"]),
            ("scope", "admin"),
            ("scope", ["query"]),
            ("agent_id", "x"),
            ("agent_id", 5),
            ("cost", -1),
            ("cost", 10_001),
            ("cost", "1"),
            ("cost", 1.5),
            ("cost", True),
            ("cost", 10**400),
            ("client_ip", 2130706433),
            ("client_ip", "x" * 101),
            ("origin", False),
            ("origin", "x" * 1001),
            ("plan", "pro"),
        ],
    )
    def test_a_fault_is_named_where_it_is(self, service: Client, field: str, value: object) -> None:
        response = service.post(PATH, {"key": unknown_key(), field: value})
        assert set(issues(response)) == {(field,)}

    def test_all_faults_are_named_at_once(self, service: Client) -> None:
        response = service.post(PATH, {"scope": "x", "cost": "x", "agent_id": "x", "x": "x"})
        assert set(issues(response)) == {("key",), ("scope",), ("cost",), ("agent_id",), ("x",)}


class TestRequiresAuthentication:
    def test_only_a_service_key_with_the_scope_may_ask(self, client: Client) -> None:
        member = client.sign_up()
        body = {"key": member.api_key}
        error(client.post(PATH, body), 401, "AUTHENTICATION_ERROR", "missing")
        for caller in (member.client, member.key_client):
            error(caller.post(PATH, body), 401, "AUTHENTICATION_ERROR", "wrong_credential_type")
        other_service = client.as_key(make_service_key(client.app, "usage", "accounts"))
        details = error(
            other_service.post(PATH, body), 403, "AUTHORIZATION_ERROR", "insufficient_scope"
        )
        assert details["required_scope"] == "verify"

    def test_the_credential_is_asked_for_before_the_body(self, client: Client) -> None:
        response = client.post(PATH, data=b"{", content_type="text/plain")
        error(response, 401, "AUTHENTICATION_ERROR", "missing")
