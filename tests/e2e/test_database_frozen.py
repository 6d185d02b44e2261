"""S47: a database that is frozen, or whose packets are lost, is a lost one within seconds."""

import http.client
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.e2e.service import PASSWORD, QUICK, Service, User, at_once, install
from tests.servers.distance import way_to
from tests.servers.frozen import frozen
from tests.servers.postgres import PostgresServer
from tests.waiting import slowness

# What is promised, and how much more a busy machine may make of it.
_CHECK_SECONDS = 3
_HEALTHZ_SECONDS = 0.1
_BACK_SECONDS = 2
_BUSY_SECONDS = 2
_WORKERS = 2
_FROZEN = "does not answer: it is frozen, or the network loses its packets"

pytestmark = pytest.mark.skipif(
    "TEST_DATABASE_URL" in os.environ, reason="another's server is not ours to freeze"
)


class Place(NamedTuple):
    """A service, a way to freeze its database, and one to it that stays open meanwhile."""

    service: Service
    freeze: Callable[[], AbstractContextManager[None]]
    other_url: str | None


@pytest.fixture(scope="module")
def url(mortal_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    mortal_postgres.create_database("frozen")
    url = mortal_postgres.url("frozen")
    install(tmp_path_factory.mktemp("migrated"), url).migrate()
    yield url
    mortal_postgres.drop_database("frozen")


@pytest.fixture(scope="module", params=["stopped", "packets lost"])
def place(
    request: pytest.FixtureRequest,
    mortal_postgres: PostgresServer,
    url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    port = urlsplit(url).port
    assert port is not None
    with way_to(port) as way:
        is_lost = request.param == "packets lost"
        ours = url.replace(f":{port}/", f":{way.port}/") if is_lost else url
        installation = install(tmp_path_factory.mktemp("frozen"), ours, **QUICK)
        with installation.serve(workers=_WORKERS) as service:
            freeze = way.blocked if is_lost else mortal_postgres.frozen
            yield Place(service, freeze, url if is_lost else None)


@pytest.fixture(scope="module")
def user(place: Place) -> User:
    return place.service.sign_up(plan="scale")


class Timed(NamedTuple):
    status: int
    seconds: float


def _ask(service: Service, path: str, **headers: str) -> Timed:
    began = time.monotonic()
    status = service.client.get(path, headers=headers).status_code
    return Timed(status, time.monotonic() - began)


@contextmanager
def _probing(service: Service) -> Iterator[list[Timed]]:
    """Ask /healthz again and again, as an orchestrator does, until the block ends."""
    answers: list[Timed] = []
    is_over = threading.Event()

    def probe() -> None:
        while not is_over.wait(0.1):
            answers.append(_ask(service, "/healthz"))

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield answers
    finally:
        is_over.set()
        thread.join()


def _everything(service: Service, user: User) -> list[httpx.Request]:
    token = {"Authorization": f"Bearer {user.token}"}
    key = {"X-API-Key": user.api_key}
    login = {"email": user.email, "password": PASSWORD}
    return [
        httpx.Request("GET", "/api/auth/me", headers=token),
        httpx.Request("GET", "/api/auth/sessions", headers=token),
        httpx.Request("POST", "/api/agents", headers=token, json={"name": "an agent"}),
        httpx.Request("POST", "/api/auth/login", json=login),
        httpx.Request("GET", "/api/v1/authorize", headers=key),
        # Not plain: a thread of the pool answers it.
        httpx.Request("GET", "/api/v1/authorize?scope=%71uery", headers=key),
        httpx.Request("GET", "/api/v1/me", headers=key),
        httpx.Request("POST", "/api/v1/keys/revoke", json={"key": user.api_key}),
    ]


def _ask_everything(service: Service, user: User) -> float:
    """How long the slowest of them took, all at once; each is told that it cannot be answered."""

    def ask(question: httpx.Request) -> float:
        began = time.monotonic()
        answer = service.client.request(
            question.method, str(question.url), headers=question.headers, content=question.content
        )
        assert answer.status_code == 503, question.url
        assert answer.json()["error"]["code"] == "EXTERNAL_SERVICE_ERROR"
        assert int(answer.headers["Retry-After"]) >= 1
        return time.monotonic() - began

    # More than there are threads, and as many checks as would take them all.
    questions = [*_everything(service, user), *_everything(service, user)[4:5] * 20]
    return max(at_once([lambda asked=asked: ask(asked) for asked in questions]))


def _warm_up(service: Service, user: User) -> None:
    """Let all workers, and many of their threads, have a connection."""
    key = {"X-API-Key": user.api_key}
    token = {"Authorization": f"Bearer {user.token}"}
    for _ in range(3):
        at_once([lambda: _ask(service, "/api/v1/authorize", **key)] * 8)
        at_once([lambda: _ask(service, "/api/auth/sessions", **token)] * 4)


def test_it_answers_in_time_while_the_database_is_frozen_and_recovers_without_a_restart(
    place: Place, user: User
) -> None:
    service = place.service
    workers = service.gunicorn.worker_pids()
    revoked_id, revoked_key = user.create_key()
    _warm_up(service, user)
    assert service.authorize(revoked_key) == 200
    with _probing(service) as probes, place.freeze():
        assert _ask_everything(service, user) < (_CHECK_SECONDS + _BUSY_SECONDS) * slowness()
        # From then on nothing waits: not for each of these the time that the first ones had.
        began = time.monotonic()
        for _ in range(20):
            assert _ask(service, "/api/v1/authorize", **{"X-API-Key": user.api_key}).status == 503
            assert _ask(service, "/healthz").status == 200
        assert time.monotonic() - began < (_CHECK_SECONDS + _BUSY_SECONDS) * slowness()
        ready = service.client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["error"]["details"]["checks"]["database"] == _FROZEN
        _let_each_worker_find_out(service, user)
        # The process beside the workers counts as well, as soon as it has asked.
        _wait_for_metric(service, "ragauth_database_frozen_workers", _WORKERS, _WORKERS + 1)
        _wait_for_metric(service, "ragauth_database_up", 0)
        if place.other_url is not None:
            _revoke_elsewhere(place.other_url, user)
    thawed_at = time.monotonic()
    while (status := service.authorize(user.api_key)) != 200:
        assert status == 503
        assert time.monotonic() - thawed_at < (_BACK_SECONDS + _BUSY_SECONDS) * slowness()
    # The other worker may need a moment more to notice the thaw.
    _wait_for_metric(service, "ragauth_database_frozen_workers", 0)
    assert time.monotonic() - thawed_at < (_BACK_SECONDS + _BUSY_SECONDS) * slowness()
    if place.other_url is None:
        user.data("POST", f"/api/auth/api-keys/{revoked_id}/rotate", json={})
    assert [service.authorize(revoked_key) for _ in range(10)] == [401] * 10
    assert {probe.status for probe in probes} == {200}
    times = sorted(probe.seconds for probe in probes)
    # Most: on a busy machine any process may wait longer for a core.
    assert times[len(times) // 2] < _HEALTHZ_SECONDS * slowness()
    assert times[-1] < _BUSY_SECONDS / 2 * slowness()
    assert service.gunicorn.worker_pids() == workers
    told = [line for line in service.gunicorn.log().splitlines() if '"ERROR"' in line]
    # Once for each worker; one that was itself frozen for a while, on a busy machine, tells twice.
    count = len([line for line in told if f"the database {_FROZEN}" in line])
    assert _WORKERS <= count <= 2 * _WORKERS
    assert service.gunicorn.log().count("the database answers again") == count


def _let_each_worker_find_out(service: Service, user: User) -> None:
    """One may have had all questions so far, for it takes new connections before the others do.

    So each is asked on a connection that it took while the others stood still.
    """
    workers = set(service.gunicorn.worker_pids())
    for worker in workers:
        connection = http.client.HTTPConnection(service.address, timeout=30)
        with closing(connection):
            with frozen(*(workers - {worker})):
                assert _status(connection, "/healthz") == 200
            assert _status(connection, "/api/v1/authorize", key=user.api_key) == 503


def _status(connection: http.client.HTTPConnection, path: str, key: str = "") -> int:
    connection.request("GET", path, headers={"X-API-Key": key})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _wait_for_metric(service: Service, name: str, *values: int) -> None:
    deadline = time.monotonic() + (_CHECK_SECONDS + 2 * _BUSY_SECONDS) * slowness()
    lines = {f"{name} {value}.0" for value in values}
    while lines.isdisjoint(service.client.get("/metrics").text.splitlines()):
        assert time.monotonic() < deadline, lines
        time.sleep(0.1)


def _revoke_elsewhere(url: str, user: User) -> None:
    """As a service on another host does, which still reaches the database."""
    with psycopg.connect(url) as connection:
        done = connection.execute(
            "UPDATE api_keys SET revoked_at = now() FROM accounts"
            " WHERE accounts.id = account_id AND email = %s AND api_keys.name = 'a key'",
            [user.email],
        )
        assert done.rowcount == 1
