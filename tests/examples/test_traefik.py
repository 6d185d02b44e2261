"""examples/gateways/traefik-routes.yml in a real Traefik.

The cases that Traefik cannot hold as the other gateways do say what it does instead.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.examples.gateway_cases import ClientAddressCases, GatewayCases, assert_refused, bearer
from tests.examples.programs import find_program
from tests.examples.stack import Customer, GatewayStarter, start_gateway
from tests.servers.gunicorn import NO_TLS, GunicornServer
from tests.waiting import wait_until

_ROUTES = "traefik-routes.yml"


def _command(folder: Path) -> list[str]:
    """The command that the file itself names."""
    text = (folder / _ROUTES).read_text(encoding="utf-8")
    (line,) = re.findall(r"^#   traefik (--.*)$", text, re.MULTILINE)
    return [find_program("traefik") or "traefik", *shlex.split(line)]


@contextmanager
def _start(*, ragauth_url: str, service_url: str) -> Iterator[str]:
    with start_gateway(_ROUTES, _command, ragauth_url=ragauth_url, service_url=service_url) as url:
        # It listens before it has read its routes.
        wait_until(lambda: httpx.get(f"{url}/documents", verify=NO_TLS).status_code != 404)
        yield url


@pytest.fixture(scope="module")
def start() -> GatewayStarter:
    return _start


class TestTraefik(ClientAddressCases, GatewayCases):
    def test_a_key_opens_its_own_agent_only(
        self, client: httpx.Client, customer: Customer, stranger: Customer
    ) -> None:
        """The service sees to it: Traefik's question names no agent."""
        own, other = customer.make_agent(), customer.make_agent()
        bound = bearer(customer.make_key(agent_id=own))
        answer = client.post(f"/agents/{own}/query", headers=bound, json={})
        assert answer.json()["data"]["caller"]["agent_id"] == own
        answer = client.post(f"/agents/{other}/query", headers=bound, json={})
        assert_refused(answer, 403, "AUTHORIZATION_ERROR")

    def test_an_unknown_path_is_404(self, client: httpx.Client, customer: Customer) -> None:
        assert client.get("/admin", headers=bearer(customer.key)).status_code == 404

    def test_a_request_id_is_the_same_everywhere(
        self, client: httpx.Client, customer: Customer, ragauth: GunicornServer
    ) -> None:
        """Traefik makes none: a client's own reaches ragauth."""
        headers = {**bearer(customer.key), "X-Request-Id": "walk-0123"}
        assert client.post("/documents", headers=headers).status_code == 200
        assert '"request_id": "walk-0123"' in ragauth.log()

    def test_over_the_limit_is_429_with_the_wait(
        self, client: httpx.Client, customer: Customer
    ) -> None:
        """A request that passes is not told what is left; one that is refused is told all."""
        agent_id = customer.make_agent()
        for _ in range(121):
            answer = client.post(f"/agents/{agent_id}/query", headers=bearer(customer.key), json={})
            if answer.status_code != 200:
                break
        assert_refused(answer, 429, "RATE_LIMIT_EXCEEDED")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert answer.headers["RateLimit"].startswith('"minute";r=0;')

    def test_nobody_passes_while_ragauth_is_down(
        self,
        start: GatewayStarter,
        customer: Customer,
        rag_service: GunicornServer,
        port_of_nobody: int,
    ) -> None:
        """With Traefik's own 500, which has no body."""
        nobody = f"http://127.0.0.1:{port_of_nobody}"
        with start(ragauth_url=nobody, service_url=rag_service.url) as url:
            answer = httpx.post(f"{url}/documents", headers=bearer(customer.key), verify=NO_TLS)
            assert (answer.status_code, answer.content) == (500, b"")
