"""A worker is killed between the commit and the answer, and the call is sent again."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.api.internal.idempotency.things import THINGS
from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service, User, at_once
from tests.servers.gunicorn import start_gunicorn

CALLERS, EACH = 2, 2


@pytest.fixture(params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, new_installation: NewInstallation) -> Iterator[Service]:
    installation = new_installation(request.param)
    with (
        start_gunicorn({**installation.environment}, app="tests.e2e.things_wsgi:app") as gunicorn,
        installation.client_of(gunicorn) as running,
    ):
        yield running


def test_it_is_made_once_and_told(service: Service) -> None:
    """S51: the caller gets no answer, and sends the call until it gets one."""
    user = service.sign_up(plan="pro")
    made = service.installation.command(
        *("service-keys", "create", "--name", "A service", "--scope", "accounts", "--json")
    )
    service_key = json.loads(made)["api_key"]

    def call(caller: int) -> list[str]:
        return [insist(service, user, service_key, f"{caller}.{turn}") for turn in range(EACH)]

    told = at_once([lambda caller=caller: call(caller) for caller in range(CALLERS)])
    raw_keys = [raw_key for keys in told for raw_key in keys]
    assert len(set(raw_keys)) == CALLERS * EACH
    assert {service.authorize(raw_key) for raw_key in raw_keys} == {200}
    names = [key["name"] for key in user.data("GET", "/api/auth/api-keys")]
    expected = [f"{caller}.{turn}" for caller in range(CALLERS) for turn in range(EACH)]
    assert sorted(names) == sorted([*expected, "Primary"])


def insist(service: Service, user: User, service_key: str, name: str) -> str:
    """Call until there is an answer; the first call kills its worker. Returns the raw key."""
    headers = {"X-API-Key": service_key, "Idempotency-Key": name}
    path, body = f"{THINGS}/{user.account_id}/keys", {"name": name}
    with pytest.raises(httpx.TransportError):
        service.client.post(path, json=body, headers={**headers, "X-Die": "yes"})
    while True:
        try:
            response = service.client.post(path, json=body, headers=headers)
        except httpx.TransportError:
            # Another caller has killed the worker that took this call.
            time.sleep(0.02)
            continue
        assert response.status_code == 201, response.text
        raw_key: str = response.json()["data"]["api_key"]
        return raw_key
