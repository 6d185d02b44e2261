"""examples/rag_service streams an answer: tokens are reserved before, and settled after."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.service import Installation
from tests.examples.stack import EXAMPLES, Customer, make_service_key, start_rag_service
from tests.servers.gunicorn import GunicornServer, start_gunicorn
from tests.waiting import wait_until

_LONG = "word " * 1000


@pytest.fixture(scope="module")
def environment(vendor: Installation, vendors_ragauth: GunicornServer) -> dict[str, str]:
    """What a service knows of ragauth."""
    return {"RAGAUTH_URL": vendors_ragauth.url, "RAGAUTH_SERVICE_KEY": make_service_key(vendor)}


@pytest.fixture(scope="module")
def service(environment: dict[str, str]) -> Iterator[httpx.Client]:
    with (
        start_rag_service(environment) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        yield client


class Asker:
    """A customer with an agent, and a key for it that may use 5,000 tokens in all."""

    def __init__(self, ragauth_url: str, customer: Customer) -> None:
        self.agent_id = customer.make_agent()
        budget = {"meter": "tokens", "window": "total", "size": 5000}
        self.headers = {"X-API-Key": customer.make_key(agent_id=self.agent_id, limits=[budget])}
        self._ragauth_url = ragauth_url

    @property
    def path(self) -> str:
        return f"/agents/{self.agent_id}/query/stream"

    def used(self) -> int:
        """How many tokens of the key's budget are counted."""
        answer = httpx.get(f"{self._ragauth_url}/api/v1/me", headers=self.headers)
        (quota,) = [one for one in answer.json()["data"]["quotas"] if one["of"] == "key"]
        used: int = quota["used"]
        return used


@pytest.fixture
def asker(vendors_ragauth: GunicornServer) -> Iterator[Asker]:
    with Customer(vendors_ragauth.url) as customer:
        yield Asker(vendors_ragauth.url, customer)


def test_it_comes_token_by_token_and_what_was_not_used_is_given_back(
    service: httpx.Client, asker: Asker
) -> None:
    answer = service.post(asker.path, headers=asker.headers, json={"message": "Good morning"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.text.split("\n\n") == [
        *(f'data: {{"token": "{token}"}}' for token in ("You", "asked:", "Good", "morning")),
        'event: done\ndata: {"tokens": 6}',
        "",
    ]
    assert asker.used() == 6


def test_it_ends_where_the_caller_wants_no_more(service: httpx.Client, asker: Asker) -> None:
    body = {"message": "Good morning", "max_tokens": 1}
    answer = service.post(asker.path, headers=asker.headers, json=body)
    assert answer.text.endswith('event: done\ndata: {"tokens": 3}\n\n')
    assert answer.text.count("token") == 2


def test_while_it_streams_the_most_that_it_may_use_is_counted(
    service: httpx.Client, asker: Asker
) -> None:
    """And a client that hangs up pays for what was generated."""
    body = {"message": _LONG, "max_tokens": 3000}
    with service.stream("POST", asker.path, headers=asker.headers, json=body) as answer:
        lines = answer.iter_lines()
        assert next(lines) == 'data: {"token": "You"}'
        assert asker.used() == 4000
    wait_until(lambda: asker.used() < 4000)
    assert 1001 <= asker.used() < 2000


def test_a_model_that_fails_costs_what_it_had_generated(
    environment: dict[str, str], asker: Asker, tmp_path: Path
) -> None:
    text = """
import model

def generate(question):
    yield "You"
    yield "asked:"
    raise RuntimeError("the model failed")

model.generate = generate
from app import app
"""
    (tmp_path / "failing.py").write_text(text, encoding="utf-8")
    path = {"PYTHONPATH": str(EXAMPLES / "rag_service")}
    with start_gunicorn(
        environment | path, workers=1, app="failing:app", config=None, cwd=tmp_path
    ) as server:
        body = {"message": "Good morning"}
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{server.url}{asker.path}", headers=asker.headers, json=body)
        wait_until(lambda: asker.used() == 4)


def test_a_refusal_is_relayed_as_it_is_and_counts_nothing(
    environment: dict[str, str], service: httpx.Client, asker: Asker
) -> None:
    body = {"message": _LONG * 3}
    for _ in range(2):
        answer = service.post(asker.path, headers=asker.headers, json=body)
    question = {
        "key": asker.headers["X-API-Key"],
        "agent_id": asker.agent_id,
        "reserve": {"tokens": 7000},
    }
    verdict = httpx.post(
        f"{environment['RAGAUTH_URL']}/api/v1/keys/verify",
        headers={"X-API-Key": environment["RAGAUTH_SERVICE_KEY"]},
        json=question,
    ).json()["data"]
    assert answer.status_code == verdict["status"] == 429
    assert answer.json() == verdict["body"]
    assert answer.json()["error"]["details"] == {
        "limit": "tokens_total",
        "meter": "tokens",
        "window": "total",
        "of": "key",
        "size": 5000,
    }
    assert '"key-tokens-total";r=5000' in answer.headers["RateLimit"]
    assert answer.headers["RateLimit-Policy"] == verdict["headers"]["RateLimit-Policy"]
    assert asker.used() == 0


@pytest.mark.parametrize("most", [0, 4001, "10", None, True, 1.5])
def test_what_is_no_number_of_tokens_is_400(
    service: httpx.Client, asker: Asker, most: object
) -> None:
    body = {"message": "Good morning", "max_tokens": most}
    answer = service.post(asker.path, headers=asker.headers, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


def test_without_a_meter_it_says_what_it_needs(
    installation: Installation, ragauth: GunicornServer, customer: Customer
) -> None:
    key = make_service_key(installation)
    with start_rag_service({"RAGAUTH_URL": ragauth.url, "RAGAUTH_SERVICE_KEY": key}) as server:
        url = f"{server.url}/agents/{customer.make_agent()}/query"
        headers = {"X-API-Key": customer.key}
        answer = httpx.post(f"{url}/stream", headers=headers, json={"message": "Good morning"})
        assert httpx.post(url, headers=headers, json={"message": "Good"}).status_code == 200
    assert answer.status_code == 503
    words = "This ragauth does not meter tokens: start it with examples/policy.toml"
    assert answer.json()["error"] == {"code": "EXTERNAL_SERVICE_ERROR", "message": words}


def test_behind_a_gateway_it_says_that_it_does_not_stream(rag_service: GunicornServer) -> None:
    answer = httpx.post(f"{rag_service.url}/agents/agt_x/query/stream", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


_VERDICT = {
    **{"valid": True, "account_id": "acc_1", "key_id": "key_1", "plan": "team", "agent_id": None},
    **{"scopes": [], "environment": "live", "features": [], "reservation_id": "rsv_1"},
}


class _Settlements(ThreadingHTTPServer):
    """A ragauth that allows each question, and answers settlements with `refusals` first.

    0 is no answer at all.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.refusals: list[int] = []
        self.settled: list[Any] = []


class _Answer(BaseHTTPRequestHandler):
    server: _Settlements

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 200
        if self.path.endswith("/usage/settle"):
            self.server.settled.append(body)
            status = self.server.refusals.pop(0) if self.server.refusals else 200
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps({"data": _VERDICT}).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test reads what has arrived."""


@pytest.fixture(scope="module")
def stubborn_ragauth() -> Iterator[_Settlements]:
    with _Settlements() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def its_service(stubborn_ragauth: _Settlements) -> Iterator[GunicornServer]:
    url = f"http://127.0.0.1:{stubborn_ragauth.server_port}"
    with start_rag_service({"RAGAUTH_URL": url, "RAGAUTH_SERVICE_KEY": "x"}) as server:
        yield server


@pytest.mark.parametrize(
    ("refusals", "times", "lost"),
    [
        ((503, 0), 3, False),
        ((429,), 2, False),
        ((409,), 1, True),
        ((404,), 1, True),
        ((503,) * 9, 4, True),
    ],
    ids=["gone", "busy", "over", "lost", "gone for long"],
)
def test_settling_is_repeated_with_the_same_amount_where_that_may_help(
    stubborn_ragauth: _Settlements,
    its_service: GunicornServer,
    refusals: tuple[int, ...],
    times: int,
    lost: bool,
) -> None:
    """No more than three times; the client has its answer anyway, and the log what is lost."""
    stubborn_ragauth.refusals, stubborn_ragauth.settled = [*refusals], []
    said = its_service.log().count("not settled")
    answer = httpx.post(
        f"{its_service.url}/agents/agt_x/query/stream",
        headers={"X-API-Key": "x"},
        json={"message": "Good morning"},
        timeout=30,
    )
    assert answer.text.endswith('event: done\ndata: {"tokens": 6}\n\n')
    assert stubborn_ragauth.settled == [{"reservation_id": "rsv_1", "use": {"tokens": 6}}] * times
    assert its_service.log().count("not settled") - said == lost
