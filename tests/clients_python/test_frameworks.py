"""A service in each framework behaves as if ragauth itself stood in front of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.cases import for_each
from tests.clients_python.conftest import Vendor
from tests.clients_python.stacks import STACKS, serve
from tests.clients_python.used import used_tokens
from tests.e2e.service import User
from tests.servers.gunicorn import NO_TLS


@pytest.fixture(scope="module", params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def service(stack: str, vendor: Vendor) -> Iterator[httpx.Client]:
    with (
        serve(stack, vendor.url, vendor.service_key) as url,
        httpx.Client(base_url=url, verify=NO_TLS, timeout=30) as client,
    ):
        yield client


def agent_of(customer: User) -> str:
    agent_id: str = customer.data("POST", "/api/agents", json={"name": "Bot"})["id"]
    return agent_id


class TestLetsIn:
    def test_a_key_that_may(self, service: httpx.Client, customer: User) -> None:
        for headers in (
            {"Authorization": f"Bearer {customer.api_key}"},
            {"X-API-Key": customer.api_key},
            {"X-API-Key": customer.api_key, "Authorization": f"bearer  {customer.api_key}"},
            {"X-API-Key": customer.api_key, "Authorization": "Bearer"},
        ):
            answer = service.post("/documents", headers=headers)
            assert answer.status_code == 200, answer.text
            assert answer.json() == {"account": customer.account_id, "unchecked": False}
        limits = answer.headers["RateLimit"]
        assert '"minute";r=56;' in limits
        assert answer.headers["RateLimit-Policy"].startswith('"minute";q=60;w=60')

    def test_an_agents_key_to_its_agent_alone(self, service: httpx.Client, customer: User) -> None:
        own, other = agent_of(customer), agent_of(customer)
        _, key = customer.create_key(agent_id=own)
        asked = {path: service.post(f"/agents/{path}/query", headers={"X-API-Key": key})
                 for path in (own, other, "none")}  # fmt: skip
        assert [answer.status_code for answer in asked.values()] == [201, 403, 404]
        assert asked[own].json() == {"agent": own}
        assert "RateLimit" in asked[own].headers
        assert asked[other].json()["error"]["details"] == {"reason": "wrong_agent"}
        assert asked["none"].json()["error"]["code"] == "NOT_FOUND"

    def test_the_callers_address_and_origin_count(
        self, service: httpx.Client, customer: User
    ) -> None:
        _, near = customer.create_key(allowed_ips=["127.0.0.1"])
        _, far = customer.create_key(allowed_ips=["203.0.113.7"])
        agent_id = agent_of(customer)
        origins = {"allowed_origins": ["https://shop.example"], "kind": "publishable"}
        _, widget = customer.create_key(agent_id=agent_id, scopes=["query"], **origins)
        assert service.post("/documents", headers={"X-API-Key": near}).status_code == 200
        refused = service.post("/documents", headers={"X-API-Key": far})
        assert refused.json()["error"]["details"]["reason"] == "ip_not_allowed"
        statuses = [
            service.post(
                f"/agents/{agent_id}/query", headers={"X-API-Key": widget, "Origin": origin}
            ).status_code
            for origin in ("https://shop.example", "https://other.example", "x" * 2000)
        ]
        assert statuses == [201, 403, 403]

    def test_what_is_public(self, service: httpx.Client) -> None:
        answer = service.get("/healthz")
        assert (answer.status_code, "RateLimit" in answer.headers) == (200, False)


class TestRefuses:
    """As `authorize` answers: its status, its headers and its body to the byte."""

    def compare(self, service: httpx.Client, vendor: Vendor, headers: Mapping[str, str]) -> Any:
        there = service.post("/documents", headers=headers)
        here = vendor.ragauth.client.post("/api/v1/authorize?scope=ingest", headers=headers)
        assert there.status_code == here.status_code
        assert there.content == here.content
        assert there.headers["Content-Type"] == here.headers["Content-Type"]
        for name in ("WWW-Authenticate", "RateLimit-Policy"):
            assert there.headers.get(name) == here.headers.get(name)
        for name in ("Retry-After", "RateLimit"):
            assert (name in there.headers) == (name in here.headers)
        return there

    @for_each(
        "headers",
        [
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer"},
            {"Authorization": "Basic eDp5"},
            {"Authorization": "Bearer one two"},
            {"Authorization": "Bearer rag_live_short"},
            {"Authorization": "Bearer one", "X-API-Key": "two"},
            {"X-API-Key": "x" * 5000},
            {"X-API-Key": "ä".encode("latin-1")},
        ],
    )
    def test_what_is_no_key(
        self, service: httpx.Client, vendor: Vendor, headers: dict[str, str]
    ) -> None:
        assert self.compare(service, vendor, headers).status_code == 401

    def test_two_headers_of_one_name(self, service: httpx.Client, customer: User) -> None:
        twice = [("X-API-Key", customer.api_key), ("X-API-Key", "rag_live_x")]
        assert service.post("/documents", headers=twice).status_code == 401

    def test_a_key_that_may_not(
        self, service: httpx.Client, vendor: Vendor, customer: User
    ) -> None:
        _, key = customer.create_key(scopes=["query"])
        refused = self.compare(service, vendor, {"X-API-Key": key})
        assert refused.json()["error"]["details"]["reason"] == "insufficient_scope"
        key_id, key = customer.create_key()
        customer.request("DELETE", f"/api/auth/api-keys/{key_id}")
        assert self.compare(service, vendor, {"X-API-Key": key}).status_code == 401

    def test_a_limit_that_is_used_up(
        self, service: httpx.Client, vendor: Vendor, customer: User
    ) -> None:
        limits = [{"meter": "requests", "window": "total", "size": 1}]
        _, key = customer.create_key(limits=limits)
        assert service.post("/documents", headers={"X-API-Key": key}).status_code == 200
        refused = self.compare(service, vendor, {"X-API-Key": key})
        assert refused.json()["error"]["code"] == "USAGE_LIMIT_EXCEEDED"

    def test_what_the_view_itself_refuses(self, service: httpx.Client, customer: User) -> None:
        answer = service.post("/late", headers={"X-API-Key": customer.api_key})
        assert answer.status_code == 401
        assert answer.json()["error"]["details"] == {"reason": "malformed"}
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_what_a_view_used_is_settled_though_it_fails(service: httpx.Client, customer: User) -> None:
    headers = {"X-API-Key": customer.api_key}
    assert service.post("/answers", headers=headers).text == "You asked"
    assert used_tokens(customer) == 12
    assert service.post("/answers", headers=headers | {"X-Fail": "1"}).status_code == 500
    assert used_tokens(customer) == 17


def test_while_ragauth_is_out_of_reach_nobody_is_let_in_unless_the_service_says_so(
    stack: str, port_of_nobody: int
) -> None:
    url = f"http://127.0.0.1:{port_of_nobody}"
    for options, status in (({"on_unavailable": "allow"}, 200), ({}, 503)):
        with serve(stack, url, "rag_svc_x", waits=(), **options) as at:
            answer = httpx.post(f"{at}/documents", headers={"X-API-Key": "any"}, verify=NO_TLS)
            assert answer.status_code == status
            if status == 200:
                assert answer.json() == {"account": None, "unchecked": True}
            bare = httpx.post(f"{at}/documents", verify=NO_TLS)
            assert bare.status_code == 401
    assert answer.headers["Retry-After"] == "2"
    assert answer.json()["error"]["code"] == "EXTERNAL_SERVICE_ERROR"
