"""ANY /api/v1/authorize and every path below it"""

from collections.abc import Callable
from io import BytesIO

import pytest
import time_machine
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from ragauth.extensions import db
from ragauth.models import ApiKey
from tests.cases import for_each
from tests.clients import Client, Member, error, issues, ok
from tests.factories.accounts import resume, set_plan, suspend
from tests.factories.api_keys import make_service_key, mistyped, unknown_key

PATH = "/api/v1/authorize"
ANYONES_AGENT = "agt_01h455vb4pex5vsknk084sn02q"


def identity(response: TestResponse) -> dict[str, str]:
    """The identity headers of an answer that allows; all of them must be there, once."""
    assert response.status_code == 200, response.text
    assert response.data == b""
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-Id"]
    names = ("Account-Id", "Key-Id", "Plan", "Agent-Id", "Scopes", "Environment", "Features")
    assert all(len(response.headers.getlist(f"X-Ragauth-{name}")) == 1 for name in names)
    return {name: response.headers[f"X-Ragauth-{name}"] for name in names}


def widget_client(client: Client, member: Member) -> Client:
    key = member.create_key(
        kind="publishable",
        agent_id=member.create_agent()["id"],
        allowed_origins=["https://shop.example.com"],
    )
    return client.as_key(key["api_key"])


class TestSucceeds:
    @pytest.mark.both_databases
    def test_it_tells_who_the_key_belongs_to(self, client: Client) -> None:
        """S24: every identity header is always there, empty where there is none."""
        member = client.sign_up()
        (key,) = ok(member.client.get("/api/auth/api-keys"))
        assert identity(member.key_client.get(PATH)) == {
            "Account-Id": member.id,
            "Key-Id": key["id"],
            "Plan": "trial",
            "Agent-Id": "",
            "Scopes": "query ingest manage",
            "Environment": "live",
            "Features": "",
        }

    def test_it_tells_an_agents_key_too(self, client: Client) -> None:
        member = client.sign_up()
        set_plan(member, "pro")
        agent = member.create_agent()
        key = member.create_key(
            agent_id=agent["id"], scopes=["query", "ingest"], environment="test"
        )
        assert identity(client.as_key(key["api_key"]).get(PATH)) == {
            "Account-Id": member.id,
            "Key-Id": key["id"],
            "Plan": "pro",
            "Agent-Id": agent["id"],
            "Scopes": "query ingest",
            "Environment": "test",
            "Features": "",
        }

    @for_each(
        "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]
    )
    def test_every_method_is_answered(self, client: Client, method: str) -> None:
        identity(client.sign_up().key_client.request(method, PATH))

    @for_each("path", ["/", "/v1/query", "/v1/query/", "/a%20b/é", "/a//b", "/me"])
    def test_every_path_below_is_answered(self, client: Client, path: str) -> None:
        identity(client.sign_up().key_client.get(PATH + path))

    def test_the_body_is_never_read(self, client: Client) -> None:
        """S29: not even one that would be too large elsewhere."""
        member = client.sign_up()
        identity(member.key_client.post(PATH, data=b"\xff" * 70_000, content_type="text/plain"))
        body = BytesIO(b"{}")
        response = member.key_client.post(
            PATH, input_stream=body, content_length=2, content_type="application/json"
        )
        identity(response)
        assert body.tell() == 0

    def test_what_the_gateways_client_asks_is_not_ours(self, client: Client) -> None:
        response = client.sign_up().key_client.get(f"{PATH}?scope=query&q=1&q=2&limit=x&%00=%ff")
        identity(response)

    def test_an_account_key_opens_each_of_its_agents(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        query = f"?agent_id={agent['id']}&scope=manage"
        assert identity(member.key_client.get(PATH + query))["Agent-Id"] == ""

    def test_a_publishable_key_opens_from_its_origin(self, client: Client) -> None:
        widget = widget_client(client, client.sign_up())
        for origin in ("https://shop.example.com", "HTTPS://Shop.Example.com"):
            identity(widget.get(f"{PATH}?scope=query", headers={"Origin": origin}))


class TestRefuses:
    """S21: scope, agent, address and origin checks fail closed."""

    def test_a_key_without_the_scope(self, client: Client) -> None:
        key = client.sign_up().create_key(scopes=["query"])
        response = client.as_key(key["api_key"]).get(f"{PATH}?scope=ingest")
        details = error(response, 403, "AUTHORIZATION_ERROR", "insufficient_scope")
        assert details["required_scope"] == "ingest"

    def test_an_agents_key_for_another_agent(self, client: Client) -> None:
        member = client.sign_up()
        agent, other = member.create_agent(), member.create_agent()
        key = client.as_key(member.create_key(agent_id=agent["id"])["api_key"])
        identity(key.get(f"{PATH}?agent_id={agent['id']}&scope=manage"))
        identity(key.get(f"{PATH}?scope=ingest"))
        for query in (f"agent_id={other['id']}", f"agent_id={ANYONES_AGENT}", "scope=manage"):
            response = key.get(f"{PATH}?{query}")
            error(response, 403, "AUTHORIZATION_ERROR", "wrong_agent")

    def test_an_account_key_for_anothers_agent(self, client: Client) -> None:
        others_agent = client.sign_up().create_agent()
        for agent_id in (others_agent["id"], ANYONES_AGENT):
            response = client.sign_up().key_client.get(f"{PATH}?agent_id={agent_id}")
            error(response, 403, "AUTHORIZATION_ERROR", "wrong_agent")

    def test_a_deleted_agent(self, client: Client) -> None:
        member = client.sign_up()
        agent = member.create_agent()
        identity(member.key_client.get(f"{PATH}?agent_id={agent['id']}"))
        ok(member.client.delete(f"/api/agents/{agent['id']}"), 204)
        response = member.key_client.get(f"{PATH}?agent_id={agent['id']}")
        error(response, 403, "AUTHORIZATION_ERROR", "wrong_agent")

    @for_each("forged", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
    def test_an_address_that_is_not_listed(self, client: Client, forged: str) -> None:
        """S22: without a trusted proxy a client cannot forge its address."""
        key = client.sign_up().create_key(allowed_ips=["203.0.113.7"])
        headers = {forged: "for=203.0.113.7" if forged == "Forwarded" else "203.0.113.7"}
        response = client.as_key(key["api_key"]).get(PATH, headers=headers)
        error(response, 403, "AUTHORIZATION_ERROR", "ip_not_allowed")

    def test_an_address_before_the_trusted_proxies(
        self, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        """S22: the address that counts is the one that the trusted proxies vouch for."""
        key = client.sign_up().create_key(allowed_ips=["203.0.113.7"])
        behind_proxy = Client(make_app(trusted_proxies=1)).as_key(key["api_key"])
        vouched, forged = "198.51.100.9, 203.0.113.7", "203.0.113.7, 198.51.100.9"
        identity(behind_proxy.get(PATH, headers={"X-Forwarded-For": vouched}))
        response = behind_proxy.get(PATH, headers={"X-Forwarded-For": forged})
        error(response, 403, "AUTHORIZATION_ERROR", "ip_not_allowed")
        error(behind_proxy.get(PATH), 403, "AUTHORIZATION_ERROR", "ip_not_allowed")

    def test_an_address_in_ipv4_mapped_form_is_that_of_ipv4(self, client: Client) -> None:
        key = client.sign_up().create_key(allowed_ips=["203.0.113.0/24", "2001:db8::/32"])
        caller = client.as_key(key["api_key"])
        for address in ("::ffff:203.0.113.9", "203.0.113.9", "2001:db8::1"):
            identity(caller.get(PATH, environ_base={"REMOTE_ADDR": address}))
        for address in ("203.0.114.1", "::1", "", "unix:"):
            response = caller.get(PATH, environ_base={"REMOTE_ADDR": address})
            error(response, 403, "AUTHORIZATION_ERROR", "ip_not_allowed")

    def test_origins_that_were_stored_in_another_form_still_count(self, client: Client) -> None:
        """S21: what was never an origin lets nobody in."""
        widget = widget_client(client, client.sign_up())
        with client.app.app_context(), db.engine.begin() as connection:
            stored = ["https://*.example.com", "https://old.example.com:443"]
            connection.execute(update(ApiKey.__table__).values(allowed_origins=stored))
        identity(widget.get(PATH, headers={"Origin": "https://old.example.com"}))
        for origin in (
            "https://a.example.com",
            "https://*.example.com",
            "https://shop.example.com",
        ):
            response = widget.get(PATH, headers={"Origin": origin})
            error(response, 403, "AUTHORIZATION_ERROR", "origin_not_allowed")

    @for_each(
        "origin",
        [
            *(None, "null", "", "https://shop.example.com.evil.test", "http://shop.example.com"),
            *("https://shop.example.com:8443", "https://example.com"),
        ],
    )
    def test_a_publishable_key_from_elsewhere(self, client: Client, origin: str | None) -> None:
        widget = widget_client(client, client.sign_up())
        headers = {} if origin is None else {"Origin": origin}
        response = widget.get(f"{PATH}?scope=query", headers=headers)
        error(response, 403, "AUTHORIZATION_ERROR", "origin_not_allowed")

    def test_a_suspended_account(self, client: Client) -> None:
        """S14: suspension takes effect on the next request."""
        member = client.sign_up()
        identity(member.key_client.get(PATH))
        suspend(member)
        error(member.key_client.get(PATH), 403, "AUTHORIZATION_ERROR", "account_suspended")
        resume(member)
        identity(member.key_client.get(PATH))

    def test_a_refusal_tells_nothing_of_the_owner(self, client: Client) -> None:
        key = client.sign_up().create_key(scopes=["query"])
        response = client.as_key(key["api_key"]).get(f"{PATH}?scope=ingest")
        told = {name for name, _ in response.headers if name.startswith("X-Ragauth-")}
        assert told == {"X-Ragauth-Error"}
        assert response.headers["X-Ragauth-Error"] == response.text


class TestRejectsInput:
    def test_all_faults_of_the_question_are_named_at_once(self, client: Client) -> None:
        query = "?scope=admin&agent_id=x&cost=-1&on_limit=500"
        response = client.sign_up().key_client.get(PATH + query)
        assert set(issues(response)) == {("scope",), ("agent_id",), ("cost",), ("on_limit",)}

    @for_each("cost", ["", "10001", "1.5", "1e3", "+1", "٣", "9" * 5000])
    def test_a_cost_is_0_to_10000(self, client: Client, cost: str) -> None:
        response = client.sign_up().key_client.get(f"{PATH}?cost={cost}")
        assert set(issues(response)) == {("cost",)}

    @for_each("cost", ["-1", "10001", "9" * 20, "9" * 200])
    def test_a_whole_number_beyond_the_bounds_is_told_the_bounds(
        self, client: Client, cost: str
    ) -> None:
        response = client.sign_up().key_client.get(f"{PATH}?cost={cost}")
        assert issues(response) == {("cost",): "Must be between 0 and 10000"}

    def test_a_question_is_asked_once(self, client: Client) -> None:
        response = client.sign_up().key_client.get(f"{PATH}?scope=query&scope=manage")
        assert set(issues(response)) == {("scope",)}


class TestRequiresAuthentication:
    def test_what_is_no_living_key_is_refused(self, client: Client) -> None:
        member = client.sign_up()
        error(client.get(PATH), 401, "AUTHENTICATION_ERROR", "missing")
        for credential, reason in (
            (member.token, "wrong_credential_type"),
            (make_service_key(client.app, "verify"), "wrong_credential_type"),
            (unknown_key(), "invalid"),
            (mistyped(member.api_key), "malformed"),
            (member.api_key.replace("rag_", "gar_"), "malformed"),
            (member.api_key + "x", "malformed"),
            (member.api_key.lower(), "malformed"),
            ("x", "malformed"),
        ):
            for caller in (client.as_user(credential), client.as_key(credential)):
                error(caller.get(PATH), 401, "AUTHENTICATION_ERROR", reason)

    def test_an_expired_key_says_since_when(self, client: Client) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            key = client.sign_up().create_key(expires_at="2026-03-01T12:00:01.5Z")
            caller = client.as_key(key["api_key"])
            clock.shift(1)
            identity(caller.get(PATH))
            clock.shift(1)
            details = error(caller.get(PATH), 401, "AUTHENTICATION_ERROR", "expired")
        assert details["expired_at"] == "2026-03-01T12:00:01Z"


@for_each("credential", ["a key", "none"])
def test_a_method_that_only_webdav_knows_is_as_good_as_any(client: Client, credential: str) -> None:
    caller = client.sign_up().key_client if credential == "a key" else client
    response = caller.request("PROPFIND", "/api/v1/authorize/documents")
    assert response.status_code == (200 if credential == "a key" else 401)
