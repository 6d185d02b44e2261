"""The process beside the workers saves usage; no death of a process loses or doubles any."""

import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import on_sqlite
from tests.e2e.service import QUICK, Installation, Service, User, install
from tests.servers.redis import RedisServer, start_redis
from tests.waiting import wait_until

CLIENTS = 4
_PAUSE_SECONDS = 0.1
PLANS = """
[plans.trial]
limits.requests.minute = 1_000_000_000
limits.requests.month = 1_000_000_000
max_keys = 10
max_agents = 10
"""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """One with SQLite, whose file a test can read, and without limits."""
    plans = tmp_path / "policy.toml"
    plans.write_text(PLANS)
    made = install(tmp_path, None, RAGAUTH_POLICY_FILE=str(plans), **QUICK)
    made.migrate()
    return made


@contextmanager
def asking(service: Service, user: User) -> Iterator[Counter[Any]]:
    """Clients that ask about a key until the block ends; what they were answered."""
    answers: Counter[Any] = Counter()
    lock, is_over = threading.Lock(), threading.Event()

    def ask() -> None:
        while not is_over.wait(_PAUSE_SECONDS):
            try:
                answer: object = service.authorize(user.api_key)
            except (HTTPException, OSError):
                answer = "no answer"
            with lock:
                answers[answer] += 1

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield answers
    finally:
        is_over.set()
        for client in clients:
            client.join(60)


def more(answers: Counter[Any], count: int = 20) -> None:
    """Wait until so many more were answered."""
    enough = answers[200] + count
    wait_until(lambda: answers[200] >= enough)


def beside(service: Service) -> int:
    """The process, once it is there."""
    found: list[int] = []
    wait_until(lambda: bool(found.extend(service.gunicorn.pids_beside()) or found))
    return found[0]


def kill_beside(service: Service) -> None:
    killed = beside(service)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: beside(service) != killed)


def saved(installation: Installation) -> int:
    """What the database knows, asked past the service."""
    path = Path(installation.environment["RAGAUTH_INSTANCE_DIR"]) / "ragauth.db"
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT coalesce(sum(requests), 0) FROM usage").fetchone()[0])


def month_used(user: User) -> int:
    response = user.client.get("/api/v1/me", headers={"Authorization": f"Bearer {user.api_key}"})
    return int(response.json()["data"]["usage"]["this_month"])


def metric(service: Service, series: str) -> float:
    lines = service.client.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(series))


@pytest.mark.parametrize("store", ["file", "redis"])
def test_kills_lose_and_double_nothing(installation: Installation, store: str) -> None:
    """S34: the process, a worker, and in the end the master are killed with SIGKILL."""
    with start_redis() as redis:
        url = {"RAGAUTH_REDIS_URL": redis.url} if store == "redis" else {}
        with installation.serve(**url) as service:
            user = service.sign_up()
            with asking(service, user) as answers:
                more(answers)
                kill_beside(service)
                os.kill(service.gunicorn.worker_pids()[0], signal.SIGKILL)
                more(answers)
                kill_beside(service)
                more(answers)
            assert answers.keys() <= {200, "no answer"}
            counted = month_used(user)
            assert answers[200] <= counted <= answers[200] + answers["no answer"]
            assert metric(service, 'ragauth_beside_deaths_total{cause="killed"}') == 2
            wait_until(lambda: metric(service, "ragauth_processes_beside ") == 1, every_seconds=0.2)
            orphan = beside(service)
            os.kill(service.gunicorn.pid, signal.SIGKILL)
            wait_until(lambda: not Path(f"/proc/{orphan}").exists())
            # With the master dead it saved once more before it ended.
            assert saved(installation) == counted
        with installation.serve(**url) as service, installation.client_of(service.gunicorn):
            user.client = service.client
            rows = service.client.get(
                "/api/auth/usage", headers={"Authorization": f"Bearer {user.token}"}
            ).json()["data"]
            assert sum(row["requests"] for row in rows) == counted
            assert month_used(user) == counted


def test_an_end_saves_what_was_counted(installation: Installation) -> None:
    """SIGTERM, also to the process itself, as systemd sends it to all.

    What becomes of it over SIGHUP is tested where a new version takes over.
    """
    with installation.serve() as service:
        user = service.sign_up()
        # Before the master gets it, which waits for the workers: what they still count is saved.
        os.kill(beside(service), signal.SIGTERM)
        assert service.authorize(user.api_key) == 200
        assert service.gunicorn.terminate() == 0
    assert saved(installation) == 1


@on_sqlite
def test_what_is_read_is_never_older_than_now(service: Service) -> None:
    user = service.sign_up()
    for count in (1, 2):
        assert service.authorize(user.api_key) == 200
        holder = user.client.get(
            "/api/v1/me", headers={"Authorization": f"Bearer {user.api_key}"}
        ).json()["data"]
        assert holder["key"]["last_used_at"] is not None
        assert holder["usage"]["this_month"] == count
        [row] = user.data("GET", "/api/auth/usage")
        assert row["requests"] == count
        [key] = user.data("GET", "/api/auth/api-keys")
        assert key["last_used_at"] == holder["key"]["last_used_at"]


def test_a_month_is_exact_after_two_outages_of_redis(installation: Installation) -> None:
    """S32: what the host counted alone is in the month that goes on in Redis."""
    with start_redis() as redis, installation.serve(RAGAUTH_REDIS_URL=redis.url) as service:
        user = service.sign_up()
        with asking(service, user) as answers:
            for _ in range(2):
                more(answers)
                outage(redis, service, answers)
            more(answers)
        assert answers.keys() == {200}
        rows = user.data("GET", "/api/auth/usage")
        counted = sum(row["requests"] for row in rows)
        # What Redis was asked as it went away may be counted there as well: once for each thread.
        assert answers[200] <= counted <= answers[200] + 2 * (CLIENTS + 2)
        assert month_used(user) >= answers[200]
        assert month_used(user) <= counted


def outage(redis: RedisServer, service: Service, answers: Counter[Any]) -> None:
    standing_in = "ragauth_redis_standing_in_workers "
    redis.stop()
    wait_until(lambda: metric(service, standing_in) >= 2, every_seconds=0.2)
    more(answers)
    redis.start()
    wait_until(lambda: metric(service, standing_in) == 0, every_seconds=0.2)


@on_sqlite
def test_it_sends_the_mail_that_a_worker_queued(service: Service) -> None:
    to = f"To: {service.sign_up().email}"
    outbox = Path(service.installation.environment["RAGAUTH_INSTANCE_DIR"]) / "outbox"
    wait_until(lambda: any(to in mail.read_text() for mail in outbox.glob("*.eml")))
