"""S31: without its database the service says so, in time, and comes back by itself."""

import os
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.service import PASSWORD, QUICK, Service, User, at_once, install
from tests.servers.postgres import PostgresServer
from tests.waiting import slowness

_AT_MOST_SECONDS = 6
_BACK_SECONDS = 20

pytestmark = pytest.mark.skipif(
    "TEST_DATABASE_URL" in os.environ, reason="another's server is not ours to stop"
)


@pytest.fixture(scope="module")
def service(
    mortal_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    mortal_postgres.create_database("gone")
    installation = install(tmp_path_factory.mktemp("gone"), mortal_postgres.url("gone"), **QUICK)
    installation.migrate()
    with installation.serve() as running:
        yield running
    mortal_postgres.drop_database("gone")


@pytest.fixture(scope="module")
def user(service: Service) -> User:
    return service.sign_up()


def _ask_everything(service: Service, user: User) -> dict[str, httpx.Response]:
    """Requests at once, by name; each within the time that it may take."""
    token = {"Authorization": f"Bearer {user.token}"}
    key = {"X-API-Key": user.api_key}
    login = {"email": user.email, "password": PASSWORD}
    questions = {
        "me": httpx.Request("GET", "/api/auth/me", headers=token),
        "sessions": httpx.Request("GET", "/api/auth/sessions", headers=token),
        "keys": httpx.Request("GET", "/api/auth/api-keys", headers=token),
        "agents": httpx.Request("POST", "/api/agents", headers=token, json={"name": "an agent"}),
        "login": httpx.Request("POST", "/api/auth/login", json=login),
        "refresh": httpx.Request(
            "POST", "/api/auth/token/refresh", json={"refresh_token": user.refresh_token}
        ),
        "authorize": httpx.Request("GET", "/api/v1/authorize", headers=key),
        "key holder": httpx.Request("GET", "/api/v1/me", headers=key),
    }

    def ask(question: httpx.Request) -> httpx.Response:
        began = time.monotonic()
        answer = service.client.request(
            question.method,
            str(question.url),
            headers=question.headers,
            content=question.content,
        )
        assert time.monotonic() - began < _AT_MOST_SECONDS * slowness()
        return answer

    answers = at_once([lambda asked=asked: ask(asked) for asked in questions.values()])
    return dict(zip(questions, answers, strict=True))


def test_it_answers_503_while_postgres_is_gone_and_recovers_without_a_restart(
    service: Service, mortal_postgres: PostgresServer, user: User
) -> None:
    workers = service.gunicorn.worker_pids()
    before = _ask_everything(service, user)
    assert {answer.status_code for answer in before.values()} <= {200, 201}
    mortal_postgres.stop()
    try:
        # The first round meets connections that were good before, the second has none.
        for _ in range(2):
            for name, answer in _ask_everything(service, user).items():
                assert answer.status_code == 503, name
                assert answer.json()["error"]["code"] == "EXTERNAL_SERVICE_ERROR"
                assert int(answer.headers["Retry-After"]) >= 1
        assert service.client.get("/healthz").status_code == 200
        ready = service.client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["error"]["code"] == "EXTERNAL_SERVICE_ERROR"
        assert ready.json()["error"]["details"]["checks"]["database"] == "out of reach"
    finally:
        mortal_postgres.start()
    deadline = time.monotonic() + _BACK_SECONDS * slowness()
    while service.client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    after = _ask_everything(service, user)
    # The refresh token was spent before Postgres went; all the rest is as it was.
    assert {answer.status_code for answer in after.values()} <= {200, 201}
    assert service.gunicorn.worker_pids() == workers
