"""examples/rag_service_fastapi, under uvicorn."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.service import Installation
from tests.examples.stack import EXAMPLES, Customer, make_service_key
from tests.examples.test_streamed_answers import Asker
from tests.servers.gunicorn import NO_TLS, PROJECT_ROOT, GunicornServer
from tests.servers.processes import ServerProcess, free_port
from tests.waiting import wait_until

_STOP_SECONDS = 20


@pytest.fixture(scope="module")
def service(
    vendor: Installation,
    vendors_ragauth: GunicornServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    port = free_port()
    folder = EXAMPLES / "rag_service_fastapi"
    process = ServerProcess(
        [sys.executable, "-m", "uvicorn", "--app-dir", str(folder), f"--port={port}", "app:app"],
        folder=tmp_path_factory.mktemp("fastapi"),
        environment={
            "RAGAUTH_URL": vendors_ragauth.url,
            "RAGAUTH_SERVICE_KEY": make_service_key(vendor),
            "PYTHONPATH": str(PROJECT_ROOT / "clients" / "python"),
        },
        cwd=Path("/"),
        last_signal=signal.SIGTERM,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, verify=NO_TLS) as client:
            wait_until(lambda: _answers(client) or process.exit_code() is not None)
            assert process.exit_code() is None, process.log()
            yield client
    finally:
        process.stop(signal.SIGTERM, _STOP_SECONDS)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def asker(vendors_ragauth: GunicornServer) -> Iterator[Asker]:
    with Customer(vendors_ragauth.url) as customer:
        yield Asker(vendors_ragauth.url, customer)


def test_a_key_that_ragauth_allows_is_served(service: httpx.Client, asker: Asker) -> None:
    path, body = f"/agents/{asker.agent_id}/query", {"message": "Hello"}
    answer = service.post(path, headers=asker.headers, json=body)
    assert answer.json()["data"]["answer"] == "You asked: Hello"
    assert '"key-tokens-total"' in answer.headers["RateLimit"]
    stored = service.post("/documents", headers=asker.headers, content=b"Some text")
    assert stored.json()["data"]["bytes"] == 9
    refused = service.post("/agents/none/query", headers=asker.headers, json=body)
    assert refused.status_code == 404
    assert service.post("/documents").status_code == 401


def test_an_answer_comes_token_by_token_and_costs_what_it_used(
    service: httpx.Client, asker: Asker
) -> None:
    answer = service.post(asker.path, headers=asker.headers, json={"message": "Good morning"})
    assert answer.text.split("\n\n") == [
        *(f'data: {{"token": "{token}"}}' for token in ("You", "asked:", "Good", "morning")),
        'event: done\ndata: {"tokens": 6}',
        "",
    ]
    wait_until(lambda: asker.used() == 6)


def test_a_caller_who_hangs_up_pays_for_what_was_generated(
    service: httpx.Client, asker: Asker
) -> None:
    body = {"message": "word " * 1000, "max_tokens": 3000}
    with service.stream("POST", asker.path, headers=asker.headers, json=body) as answer:
        # Kept: without it the connection ends.
        lines = answer.iter_lines()
        assert next(lines) == 'data: {"token": "You"}'
        assert asker.used() == 4000
    wait_until(lambda: asker.used() < 4000)
    assert 1001 <= asker.used() < 2000


def test_what_a_key_cannot_pay_is_refused_before_it_begins(
    service: httpx.Client, asker: Asker
) -> None:
    answer = service.post(asker.path, headers=asker.headers, json={"message": "word " * 3000})
    assert answer.status_code == 429
    assert answer.json()["error"]["details"]["limit"] == "tokens_total"
    assert asker.used() == 0
