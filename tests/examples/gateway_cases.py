"""What every gateway's configuration must hold; one class for each gateway inherits it."""

import http.client
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.examples.stack import Customer, GatewayStarter
from tests.servers.gunicorn import NO_TLS, GunicornServer

IDENTITY_HEADERS = (
    *("Account-Id", "Key-Id", "Plan", "Agent-Id", "Scopes", "Environment", "Features"),
    "Reservation",
)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["message"]


class GatewayCases:
    """A module that inherits it has a fixture `start`: the gateway in front of two URLs."""

    @pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
    def test_an_allowed_request_reaches_the_service_with_its_body_and_identity(
        self, client: httpx.Client, customer: Customer, header: str
    ) -> None:
        agent_id = customer.make_agent()
        credential = f"Bearer {customer.key}" if header == "Authorization" else customer.key
        answer = client.post(
            f"/agents/{agent_id}/query", headers={header: credential}, json={"message": "Hello"}
        )
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        assert data["answer"] == "You asked: Hello"
        assert data["agent_id"] == agent_id
        assert data["caller"].pop("key_id").startswith("key_")
        assert data["caller"] == {
            "account_id": customer.id,
            "plan": "trial",
            "agent_id": None,
            "scopes": ["query", "ingest", "manage"],
            "environment": "live",
            "features": [],
            "reservation_id": None,
        }

    def test_a_large_body_reaches_the_service_whole(
        self, client: httpx.Client, customer: Customer
    ) -> None:
        body = b"x" * 300_000
        answer = client.post("/documents", headers=bearer(customer.key), content=body)
        assert answer.json()["data"]["bytes"] == len(body)

    def test_no_key_is_401(self, client: httpx.Client) -> None:
        answer = client.post("/documents", content=b"x")
        assert_refused(answer, 401, "AUTHENTICATION_ERROR")
        assert answer.headers.get_list("WWW-Authenticate") == ['Bearer realm="ragauth"']

    def test_a_dead_key_is_401_at_once(self, client: httpx.Client, customer: Customer) -> None:
        headers = bearer(customer.key)
        assert client.post("/documents", headers=headers).status_code == 200
        new_key = customer.regenerate_key()
        answer = client.post("/documents", headers=headers)
        assert_refused(answer, 401, "AUTHENTICATION_ERROR")
        assert answer.json()["error"]["message"] == "The API key has been revoked"
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert client.post("/documents", headers=bearer(new_key)).status_code == 200

    def test_a_key_opens_its_own_agent_only(
        self, client: httpx.Client, customer: Customer, stranger: Customer
    ) -> None:
        own, other, foreign = customer.make_agent(), customer.make_agent(), stranger.make_agent()
        bound = bearer(customer.make_key(agent_id=own))
        answer = client.post(f"/agents/{own}/query", headers=bound, json={})
        assert answer.json()["data"]["caller"]["agent_id"] == own
        for agent_id, headers in ((other, bound), (foreign, bearer(customer.key))):
            answer = client.post(f"/agents/{agent_id}/query", headers=headers, json={})
            assert_refused(answer, 403, "AUTHORIZATION_ERROR")

    def test_a_key_without_the_scope_is_403(self, client: httpx.Client, customer: Customer) -> None:
        headers = bearer(customer.make_key(scopes=["query"]))
        answer = client.post("/documents", headers=headers)
        assert_refused(answer, 403, "AUTHORIZATION_ERROR")
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]

    def test_a_publishable_key_opens_from_its_origin_only(
        self, client: httpx.Client, customer: Customer
    ) -> None:
        agent_id = customer.make_agent()
        key = customer.make_key(
            kind="publishable", agent_id=agent_id, allowed_origins=["https://shop.example.com"]
        )
        path = f"/agents/{agent_id}/query"
        for origin, status in (("https://shop.example.com", 200), ("https://evil.test", 403)):
            answer = client.post(path, headers={**bearer(key), "Origin": origin}, json={})
            assert answer.status_code == status
        assert client.post(path, headers=bearer(key), json={}).status_code == 403

    @pytest.mark.parametrize(
        "form", ["X-Ragauth-{}", "x-ragauth-{}", "X_Ragauth_{}", "X-Ragauth_{}"]
    )
    def test_a_client_cannot_forge_an_identity(
        self, client: httpx.Client, customer: Customer, form: str
    ) -> None:
        """S24: what the service is told comes from ragauth alone."""
        agent_id = customer.make_agent()
        path, headers = f"/agents/{agent_id}/query", bearer(customer.key)
        honest = client.post(path, headers=headers, json={}).json()
        forms = [form.format(name) for name in IDENTITY_HEADERS]
        forms += [form.format(name.replace("-", "_")) for name in IDENTITY_HEADERS]
        forged = dict.fromkeys(forms, "agt_01h455vb4pex5vsknk084sn02q")
        answer = client.post(path, headers={**forged, **headers}, json={})
        assert answer.json() == honest

    def test_a_client_cannot_have_an_identity_header_dropped(
        self, client: httpx.Client, customer: Customer
    ) -> None:
        """S24: a key that is bound to an agent does not come to look like one that is not."""
        agent_id = customer.make_agent()
        headers = {
            **bearer(customer.make_key(agent_id=agent_id)),
            "Connection": "close, X-Ragauth-Agent-Id, X-Ragauth-Scopes",
        }
        answer = client.post("/documents", headers=headers)
        assert answer.json()["data"]["caller"]["agent_id"] == agent_id

    def test_the_clients_query_is_no_part_of_the_question(
        self, client: httpx.Client, customer: Customer
    ) -> None:
        own, other = customer.make_agent(), customer.make_agent()
        # Any of these would be refused by ragauth, were it asked.
        query = "?cost=abc&scope=nonsense&agent_id=none&on_limit=200"
        answer = client.post(f"/documents{query}", headers=bearer(customer.key))
        assert answer.status_code == 200, answer.text
        # And these would be allowed.
        key = bearer(customer.make_key(agent_id=own, scopes=["query"]))
        for path in (
            f"/documents?scope=query&agent_id={own}",
            f"/agents/{other}/query?agent_id={own}",
            f"/agents/{other}/query%3Fagent_id={own}",
        ):
            assert client.post(path, headers=key, json={}).status_code in (403, 404), path

    @pytest.mark.parametrize("dots", ["..", "%2e%2e", "..%2f.."])
    def test_the_agent_that_was_asked_about_is_the_one_that_answers(
        self, url: str, customer: Customer, dots: str
    ) -> None:
        own, other = customer.make_agent(), customer.make_agent()
        key = customer.make_key(agent_id=own)
        for first, last in ((own, other), (other, own)):
            status, body = _post_as_is(url, f"/agents/{first}/{dots}/{last}/query", key)
            assert status != 200 or f'"agent_id":"{other}"' not in body.replace(" ", ""), body

    def test_an_unknown_path_is_404(self, client: httpx.Client, customer: Customer) -> None:
        answer = client.get("/admin", headers=bearer(customer.key))
        assert_refused(answer, 404, "NOT_FOUND")

    def test_a_request_id_is_the_same_everywhere(
        self, client: httpx.Client, customer: Customer, ragauth: GunicornServer
    ) -> None:
        headers = {**bearer(customer.key), "X-Request-Id": "walk-0123"}
        answer = client.post("/documents", headers=headers)
        assert answer.headers["X-Request-Id"]
        assert f'"request_id": "{answer.headers["X-Request-Id"]}"' in ragauth.log()

    def test_over_the_limit_is_429_with_the_wait(
        self, client: httpx.Client, customer: Customer
    ) -> None:
        agent_id = customer.make_agent()
        # trial has 60 a minute; a new minute may begin on the way.
        for _ in range(121):
            answer = client.post(f"/agents/{agent_id}/query", headers=bearer(customer.key), json={})
            if answer.status_code != 200:
                break
            assert answer.headers["RateLimit-Policy"].startswith('"minute";q=60;w=60')
            assert answer.headers["RateLimit"].startswith('"minute";r=')
        assert_refused(answer, 429, "RATE_LIMIT_EXCEEDED")
        assert answer.json()["error"]["details"]["limit"] == "requests_per_minute"
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert answer.headers["RateLimit"].startswith('"minute";r=0;')
        assert answer.headers["RateLimit-Policy"].startswith('"minute";q=60;w=60')

    def test_a_used_up_month_is_429_with_its_own_code(
        self, client: httpx.Client, customer: Customer, ragauth: GunicornServer
    ) -> None:
        spent = httpx.get(f"{ragauth.url}/api/v1/authorize?cost=1000", headers=bearer(customer.key))
        assert spent.status_code == 200
        answer = client.post("/documents", headers=bearer(customer.key))
        assert_refused(answer, 429, "USAGE_LIMIT_EXCEEDED")
        assert answer.json()["error"]["details"]["limit"] == "requests_per_month"
        assert '"month";r=0;' in answer.headers["RateLimit"]

    def test_nobody_passes_while_ragauth_is_down(
        self,
        start: GatewayStarter,
        customer: Customer,
        rag_service: GunicornServer,
        port_of_nobody: int,
    ) -> None:
        nobody = f"http://127.0.0.1:{port_of_nobody}"
        with (
            start(ragauth_url=nobody, service_url=rag_service.url) as url,
            httpx.Client(base_url=url, timeout=30, verify=NO_TLS) as client,
        ):
            answer = client.post("/documents", headers=bearer(customer.key), content=b"x")
            assert_refused(answer, 503, "EXTERNAL_SERVICE_ERROR")
            assert answer.headers["Retry-After"]


class ClientAddressCases:
    """For gateways that tell one loopback address from another, as these tests need."""

    def test_the_address_that_counts_is_the_clients_own(self, url: str, customer: Customer) -> None:
        """S22: neither the gateway's nor one that the client claims."""
        headers = bearer(customer.make_key(allowed_ips=["127.0.0.2"]))
        claims: list[dict[str, str]] = [
            {},
            {"X-Forwarded-For": "127.0.0.2"},
            {"X-Forwarded-For": "127.0.0.2, 127.0.0.2"},
            {"X-Forwarded-For": '"'},
            {"Forwarded": "for=127.0.0.2", "X-Real-IP": "127.0.0.2"},
        ]
        for claimed in claims:
            for address, status in (("127.0.0.2", 200), ("127.0.0.1", 403)):
                transport = httpx.HTTPTransport(local_address=address)
                with httpx.Client(base_url=url, transport=transport, timeout=30) as client:
                    answer = client.post("/documents", headers={**headers, **claimed})
                    assert answer.status_code == status, (address, claimed)


def _post_as_is(url: str, path: str, key: str) -> tuple[int, Any]:
    """Post to a path that no library has tidied up."""
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)) as raw:
        raw.putrequest("POST", path)
        for name, value in {**bearer(key), "Content-Length": "0"}.items():
            raw.putheader(name, value)
        raw.endheaders()
        answer = raw.getresponse()
        return answer.status, answer.read().decode()
