"""The service behind PgBouncer in transaction mode, with two sessions for all its connections."""

import os
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.e2e.load import ACCEPTED_FIRST, kill_under_load
from tests.e2e.service import COMMAND_SECONDS, PASSWORD, QUICK, Service, User, at_once, install
from tests.servers.pgbouncer import SESSIONS, PgBouncer, find_pgbouncer, start_pgbouncer
from tests.servers.postgres import PostgresServer
from tests.waiting import slowness

pytestmark = pytest.mark.skipif(
    find_pgbouncer() is None, reason="pgbouncer is not installed: apt-get install pgbouncer"
)

_DATABASE = "behind"
_CLIENTS = 8
_TRIES = 40
_AT_MOST_SECONDS = 6
_BACK_SECONDS = 15
_FROZEN = "does not answer: it is frozen, or the network loses its packets"


@pytest.fixture(scope="module")
def postgres(mortal_postgres: PostgresServer) -> Iterator[PostgresServer]:
    mortal_postgres.create_database(_DATABASE)
    yield mortal_postgres
    mortal_postgres.drop_database(_DATABASE)


@pytest.fixture(scope="module")
def pooler(postgres: PostgresServer) -> Iterator[PgBouncer]:
    with start_pgbouncer(postgres) as running:
        yield running


@pytest.fixture(scope="module")
def service(pooler: PgBouncer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Migrated by two hosts at once, through the pooler."""
    installation = install(
        tmp_path_factory.mktemp("pooler"),
        pooler.url(_DATABASE),
        RAGAUTH_DATABASE_POOLER="transaction",
        **QUICK,
    )
    migrations = [installation.start("db", "upgrade") for _ in range(2)]
    told = [each.communicate(timeout=COMMAND_SECONDS)[1] for each in migrations]
    assert [each.returncode for each in migrations] == [0, 0], told
    with installation.serve(workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def user(service: Service) -> User:
    return service.sign_up(plan="scale")


def test_more_requests_at_once_than_there_are_sessions_are_all_answered(
    service: Service, postgres: PostgresServer, user: User
) -> None:
    """Changes, reads and checks beside one another; none waits for a second session."""

    def work() -> list[int]:
        key_id, raw_key = user.create_key()
        login = {"email": user.email, "password": PASSWORD}
        return [
            service.authorize(raw_key),
            service.insist("/api/auth/login", login).status_code,
            user.request("GET", "/api/auth/sessions").status_code,
            user.request("DELETE", f"/api/auth/api-keys/{key_id}").status_code,
        ]

    assert at_once([work] * _CLIENTS) == [[200, 200, 200, 204]] * _CLIENTS
    with psycopg.connect(postgres.url(_DATABASE)) as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        counted = connection.execute(f"{others} AND pid <> pg_backend_pid()").fetchone()
    assert counted == (SESSIONS,)


def test_a_revoked_key_is_dead_at_once_in_every_worker(service: Service, user: User) -> None:
    """S20: a pooler keeps no answer, and each read sees what was committed."""
    key_id, raw_key = user.create_key()

    def revoke() -> None:
        assert user.request("DELETE", f"/api/auth/api-keys/{key_id}").status_code == 204

    outcome = kill_under_load(service, raw_key, revoke, tries=_TRIES)
    assert outcome.accepted_before >= ACCEPTED_FIRST
    assert outcome.statuses == {401}
    assert len(outcome.by_worker) == 2


def test_a_pooler_that_restarts_is_found_again_without_a_restart_of_the_service(
    service: Service, pooler: PgBouncer, user: User
) -> None:
    """S31: 503 while it is away."""
    workers = service.gunicorn.worker_pids()
    assert set(at_once([lambda: service.authorize(user.api_key)] * _CLIENTS)) == {200}
    pooler.stop()
    try:
        for _ in range(2):
            began = time.monotonic()
            assert set(at_once([lambda: service.authorize(user.api_key)] * _CLIENTS)) == {503}
            assert time.monotonic() - began < _AT_MOST_SECONDS * slowness()
        ready = service.client.get("/readyz")
        assert ready.json()["error"]["details"]["checks"]["database"] == "out of reach"
    finally:
        pooler.start()
    deadline = time.monotonic() + _BACK_SECONDS * slowness()
    while service.client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # The other worker may need a moment more to notice the thaw.
    while set(at_once([lambda: service.authorize(user.api_key)] * _CLIENTS)) != {200}:
        assert time.monotonic() < deadline
    assert user.request("GET", "/api/auth/me").status_code == 200
    # A pooler that goes between two requests is not noticed by a client.
    pooler.stop()
    pooler.start()
    assert set(at_once([lambda: service.authorize(user.api_key)] * _CLIENTS)) == {200}
    assert user.create_key()
    assert service.gunicorn.worker_pids() == workers


@pytest.mark.skipif(
    "TEST_DATABASE_URL" in os.environ, reason="another's server is not ours to freeze"
)
def test_postgres_that_is_frozen_behind_a_pooler_is_known_to_be(
    service: Service, postgres: PostgresServer, user: User
) -> None:
    """S47: the pooler goes on taking connections."""
    assert set(at_once([lambda: service.authorize(user.api_key)] * _CLIENTS)) == {200}
    with postgres.frozen():
        for _ in range(2):
            began = time.monotonic()
            assert set(at_once([lambda: service.authorize(user.api_key)] * _CLIENTS)) == {503}
            assert time.monotonic() - began < _AT_MOST_SECONDS * slowness()
        began = time.monotonic()
        assert {service.authorize(user.api_key) for _ in range(20)} == {503}
        assert time.monotonic() - began < _AT_MOST_SECONDS * slowness()
        ready = service.client.get("/readyz")
        assert ready.json()["error"]["details"]["checks"]["database"] == _FROZEN
    deadline = time.monotonic() + _BACK_SECONDS * slowness()
    while service.client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # The other worker may need a moment more to notice the thaw.
    while set(at_once([lambda: service.authorize(user.api_key)] * _CLIENTS)) != {200}:
        assert time.monotonic() < deadline
