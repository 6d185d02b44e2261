"""examples/rag_service without a gateway: it asks ragauth itself."""

import ast
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.service import Installation
from tests.examples.gateway_cases import IDENTITY_HEADERS
from tests.examples.stack import Customer, make_service_key, start_rag_service
from tests.servers.gunicorn import PROJECT_ROOT, GunicornServer


@pytest.fixture(scope="module")
def service_key(installation: Installation) -> str:
    return make_service_key(installation)


@pytest.fixture(scope="module")
def client(ragauth: GunicornServer, service_key: str) -> Iterator[httpx.Client]:
    environment = {"RAGAUTH_URL": ragauth.url, "RAGAUTH_SERVICE_KEY": service_key}
    with (
        start_rag_service(environment) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        yield client


def test_a_key_that_ragauth_allows_is_served(client: httpx.Client, customer: Customer) -> None:
    agent_id = customer.make_agent()
    key = customer.make_key(agent_id=agent_id, environment="test")
    answer = client.post(
        f"/agents/{agent_id}/query", headers={"X-API-Key": key}, json={"message": "Hello"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["answer"] == "You asked: Hello"
    caller = answer.json()["data"]["caller"]
    assert (caller["account_id"], caller["agent_id"]) == (customer.id, agent_id)
    assert caller["environment"] == "test"


def test_bearer_without_a_token_beside_a_key_is_no_credential(
    client: httpx.Client, customer: Customer
) -> None:
    headers = {"X-API-Key": customer.key, "Authorization": "Bearer"}
    assert client.post("/documents", headers=headers).status_code == 200


def test_ragauths_refusal_is_relayed(client: httpx.Client, customer: Customer) -> None:
    wrong_agent = customer.make_agent()
    key = customer.make_key(agent_id=customer.make_agent())
    refusals = {
        401: client.post("/documents", headers={"Authorization": "Bearer rag_live_wrong"}),
        403: client.post(f"/agents/{wrong_agent}/query", headers={"X-API-Key": key}),
    }
    for status, answer in refusals.items():
        assert answer.status_code == status
    bodies = {status: answer.json()["error"] for status, answer in refusals.items()}
    assert bodies[401] == {
        "code": "AUTHENTICATION_ERROR",
        "message": "The API key is malformed: 36 characters after rag_live_ expected, 5 found",
        "details": {"reason": "malformed"},
    }
    assert bodies[403]["details"] == {"reason": "wrong_agent"}
    assert 'error="invalid_request"' in refusals[401].headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic eDp5"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer one", "X-API-Key": "two"},
        {"X-API-Key": "x" * 5000},
    ],
)
def test_without_one_credential_it_is_401(client: httpx.Client, headers: dict[str, str]) -> None:
    answer = client.post("/documents", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="ragauth"'


def test_identity_headers_of_a_client_mean_nothing(client: httpx.Client) -> None:
    """S24"""
    names = IDENTITY_HEADERS
    forged = {f"X-Ragauth-{name}": "ingest" for name in names}
    assert client.post("/documents", headers=forged).status_code == 401


def test_a_bearer_without_a_token_is_no_second_credential(
    client: httpx.Client, customer: Customer
) -> None:
    for empty in ("", "Bearer", "bearer"):
        headers = {"Authorization": empty, "X-API-Key": customer.key}
        assert client.post("/documents", headers=headers).status_code == 200


def test_an_agent_that_cannot_be_is_404(client: httpx.Client, customer: Customer) -> None:
    answer = client.post("/agents/none/query", headers={"X-API-Key": customer.key}, json={})
    assert answer.status_code == 404


@pytest.mark.parametrize("fault", ["down", "wrong key"])
def test_nobody_is_served_while_ragauth_cannot_be_asked(
    ragauth: GunicornServer, customer: Customer, port_of_nobody: int, fault: str
) -> None:
    url = ragauth.url if fault == "wrong key" else f"http://127.0.0.1:{port_of_nobody}"
    with start_rag_service({"RAGAUTH_URL": url, "RAGAUTH_SERVICE_KEY": customer.key}) as server:
        answer = httpx.post(f"{server.url}/documents", headers={"X-API-Key": customer.key})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "EXTERNAL_SERVICE_ERROR"
    assert answer.headers["Retry-After"]


def test_behind_a_gateway_a_missing_identity_header_is_refused(rag_service: GunicornServer) -> None:
    """S24: all or nothing."""
    names = IDENTITY_HEADERS
    headers = {f"X-Ragauth-{name}": "ingest" for name in names}
    url = f"{rag_service.url}/documents"
    assert httpx.post(url, headers=headers).status_code == 200
    for name in headers:
        rest = {other: value for other, value in headers.items() if other != name}
        assert httpx.post(url, headers=rest).status_code == 503


def test_it_is_another_program_that_needs_no_package_of_ragauths() -> None:
    """Here it is forked from a Python that has them; its user has none."""
    imported: set[str] = set()
    for path in (PROJECT_ROOT / "examples" / "rag_service").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    assert "flask" in imported
    assert [name for name in imported if name.startswith("ragauth")] == []
