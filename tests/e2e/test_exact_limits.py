"""Limits are exact for all workers at once, and survive the death of one."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import QUICK, Service, User, at_once, install, while_redis_answers
from tests.servers.redis import start_redis
from tests.waiting import wait_until

LIMIT = 200
WORKERS = 4
THREADS = 200
TRIES_OF_EACH = 2
PLANS = """
[plans.trial]
limits.requests.minute = {minute}
limits.requests.month = {month}
max_keys = 5
max_agents = 2
"""


@pytest.fixture(params=["sqlite and lmdb", "postgres and redis"])
def limited(
    request: pytest.FixtureRequest, new_installation: NewInstallation, tmp_path: Path
) -> Iterator[Service]:
    """Four workers, with a limit of 200 requests a minute."""
    database, _, counters = request.param.split()
    installation = new_installation(database)
    plans = tmp_path / "policy.toml"
    plans.write_text(PLANS.format(minute=LIMIT, month=10**9))
    settings = {"RAGAUTH_POLICY_FILE": str(plans)}
    with ExitStack() as stack:
        if counters == "redis":
            settings["RAGAUTH_REDIS_URL"] = stack.enter_context(start_redis()).url
        yield stack.enter_context(installation.serve(workers=WORKERS, **settings))


def month_used(user: User) -> int:
    answer = user.client.get("/api/v1/me", headers={"X-API-Key": user.api_key})
    used: int = answer.json()["data"]["usage"]["this_month"]
    return used


def test_of_200_threads_against_4_processes_exactly_the_limit_is_let_through(
    limited: Service,
) -> None:
    """S23: and what was refused has cost nothing."""
    asked: set[str] = set()

    def see() -> None:
        user = limited.sign_up()
        asked.clear()

        def ask() -> Counter[int]:
            several = [uuid4().hex for _ in range(TRIES_OF_EACH)]
            asked.update(several)
            return Counter(limited.authorize(user.api_key, each) for each in several)

        statuses: Counter[int] = sum(at_once([ask] * THREADS), Counter())
        assert statuses == {200: LIMIT, 429: THREADS * TRIES_OF_EACH - LIMIT}
        assert month_used(user) == LIMIT

    def has_each_worker_counted() -> bool:
        while_redis_answers([limited], see)
        lines = limited.request_lines()
        return len({line["pid"] for line in lines if line["request_id"] in asked}) == WORKERS

    # On a busy machine some of them may answer everything for a while.
    wait_until(has_each_worker_counted)


def test_no_count_is_lost_or_doubled_when_a_worker_is_killed(
    new_installation: NewInstallation, tmp_path: Path
) -> None:
    """S34: a worker is killed with SIGKILL while it counts."""
    plans = tmp_path / "policy.toml"
    plans.write_text(PLANS.format(minute=10**9, month=10**9))
    installation = install(tmp_path, None, RAGAUTH_POLICY_FILE=str(plans), **QUICK)
    installation.migrate()
    with installation.serve() as service:
        user = service.sign_up()
        answers: Counter[Any] = Counter()
        lock = threading.Lock()
        halfway = threading.Event()

        def ask() -> None:
            for _ in range(15):
                try:
                    answer: object = service.authorize(user.api_key)
                except (HTTPException, OSError):
                    answer = "no answer"
                with lock:
                    answers[answer] += 1
                    if answers[200] >= 75:
                        halfway.set()

        clients = [threading.Thread(target=ask) for _ in range(20)]
        for client in clients:
            client.start()
        assert halfway.wait(30)
        os.kill(service.gunicorn.worker_pids()[0], signal.SIGKILL)
        for client in clients:
            client.join(60)
        assert answers.keys() <= {200, "no answer"}, answers
        assert answers[200] > 150
        # One that died unanswered may have been counted: its client cannot know either.
        counted = month_used(user)
        assert answers[200] <= counted <= answers[200] + answers["no answer"]
        # The database is told the same, by whichever worker is left.
        rows = user.data("GET", "/api/auth/usage")
        assert [row["requests"] for row in rows] == [counted]
