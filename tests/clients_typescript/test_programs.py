"""Programs of their own: the README's, and the sample service on Express."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.clients_typescript.packages import PACKAGE
from tests.docs.markdown import blocks
from tests.e2e.service import Service, User
from tests.servers.processes import ServerProcess, free_port

_START_SECONDS = 30
_STOP_SECONDS = 20
_MOST_LINES = 10


@pytest.fixture(scope="module")
def customer(service: Service) -> User:
    return service.sign_up(plan="team")


@contextmanager
def _running(
    program: str, project: Path, environment: Mapping[str, str], log: Path
) -> Iterator[httpx.Client]:
    """A client of a program that node runs on a port of its own."""
    port = free_port()
    log.mkdir()
    process = ServerProcess(
        ["node", program],
        folder=log,
        environment={
            **{"PATH": os.environ.get("PATH", os.defpath), **environment},
            **{"PORT": str(port), "SERVICE_PORT": str(port)},
        },
        cwd=project,
        last_signal=signal.SIGTERM,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            _wait_for(client, process)
            yield client
    finally:
        process.stop(signal.SIGTERM, _STOP_SECONDS)


def _wait_for(client: httpx.Client, process: ServerProcess) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            client.get("/")
        except httpx.ConnectError:
            assert process.exit_code() is None, process.log()
            assert time.monotonic() < deadline, process.log()
            time.sleep(0.02)
        else:
            return


@pytest.mark.parametrize("program", ["readme1.js", "readme2.js"])
def test_the_readmes_ten_lines_protect_a_route(
    program: str, project: Path, environment: Mapping[str, str], customer: User, tmp_path: Path
) -> None:
    with _running(program, project, environment, tmp_path / "log") as client:
        answer = client.get("/query", headers={"Authorization": f"Bearer {customer.api_key}"})
        refused = client.get("/query")
    assert answer.json() == {"account": customer.account_id}
    assert answer.headers["RateLimit"]
    assert refused.status_code == 401
    assert refused.json()["error"]["details"] == {"reason": "missing"}
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="ragauth"'


def test_the_readmes_first_example_has_ten_lines() -> None:
    first = next(block.text for block in blocks(PACKAGE / "README.md") if block.info == "ts")
    assert len([line for line in first.splitlines() if line]) <= _MOST_LINES


@pytest.fixture(scope="module")
def client(
    project: Path, environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """The sample service."""
    log = tmp_path_factory.mktemp("express") / "log"
    with _running("rag_service_express/app.mjs", project, environment, log) as client:
        yield client


@pytest.fixture(scope="module")
def agent_id(customer: User) -> str:
    made: str = customer.data("POST", "/api/agents", json={"name": "Bot"})["id"]
    return made


class TestTheSampleService:
    def test_serves_a_key_that_ragauth_allows_and_relays_refusals(
        self, client: httpx.Client, customer: User, agent_id: str
    ) -> None:
        key = {"X-API-Key": customer.api_key}
        asked = client.post(f"/agents/{agent_id}/query", headers=key, json={"message": "Hello"})
        assert asked.json()["data"]["answer"] == "You asked: Hello"
        assert asked.json()["data"]["caller"]["account_id"] == customer.account_id
        assert client.post("/documents", headers=key, json={}).status_code == 200
        assert client.post("/agents/none/query", headers=key, json={}).status_code == 404
        _, narrow = customer.create_key(scopes=["query"])
        refused = client.post("/documents", headers={"X-API-Key": narrow}, json={})
        assert refused.status_code == 403
        assert refused.json()["error"]["details"]["reason"] == "insufficient_scope"

    def test_settles_a_streamed_answer_by_what_was_used_also_when_the_client_hangs_up(
        self, client: httpx.Client, customer: User, agent_id: str
    ) -> None:
        key = {"X-API-Key": customer.api_key}
        path = f"/agents/{agent_id}/query/stream"
        whole = client.post(path, headers=key, json={"message": "Good morning"})
        assert whole.headers["Content-Type"] == "text/event-stream"
        assert whole.text.endswith('event: done\ndata: {"tokens":6}\n\n')
        assert _tokens(customer) == 6
        long = {"message": "word " * 1000}
        with client.stream("POST", path, headers=key, json=long) as answer:
            lines = answer.iter_lines()
            next(lines)
            assert _tokens(customer) == 6 + 1000 + 4000
        deadline = time.monotonic() + _START_SECONDS
        while _tokens(customer) >= 6 + 1000 + 1000:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert _tokens(customer) > 6 + 1000


def _tokens(customer: User) -> int:
    """What the account has used of its tokens in this month."""
    limits = customer.data("GET", "/api/auth/limits")["quotas"]
    (used,) = [
        quota["used"]
        for quota in limits
        if (quota["meter"], quota["window"], quota["environment"]) == ("tokens", "month", "live")
    ]
    return int(used)
