"""S48: a standby that takes over has all that was acknowledged, and lets no dead key in."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.e2e.failover_load import Load, every_verdict_holds, nothing_acknowledged_is_lost
from tests.e2e.service import Service, install
from tests.servers.postgres_pair import PostgresPair, ask, start_postgres_pair

_BACK_SECONDS = 5
_PLANS = """
[trial]
requests_per_minute = 1_000_000
requests_per_month = 1_000_000_000
max_keys = 10
max_agents = 1
"""
_OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ragauth'"

pytestmark = pytest.mark.skipif(
    "TEST_DATABASE_URL" in os.environ, reason="another's server is not ours to kill"
)


@pytest.fixture(scope="module")
def pair() -> Iterator[PostgresPair]:
    with start_postgres_pair() as pair:
        yield pair


@pytest.fixture(scope="module")
def hosts(
    pair: PostgresPair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service]]:
    """The service on two hosts."""
    pair.primary.create_database("ragauth")
    with ExitStack() as running:
        services = []
        for name in ("first", "second"):
            folder = tmp_path_factory.mktemp(name)
            (folder / "plans.toml").write_text(_PLANS)
            installation = install(
                folder, pair.url("ragauth"), RAGAUTH_PLANS_FILE=str(folder / "plans.toml")
            )
            if not services:
                installation.migrate()
            services.append(running.enter_context(installation.serve(workers=1)))
        yield services[0], services[1]


def _wait_until_back(load: Load, since: float) -> None:
    for number in range(len(load.services)):
        while (back_at := load.back_at(number, since)) is None:
            assert time.monotonic() - since < _BACK_SECONDS * 2
            time.sleep(0.01)
        print("back after", back_at - since)
        assert back_at - since < _BACK_SECONDS


def test_a_killed_primary_loses_nothing_and_its_return_as_a_standby_changes_nothing(
    pair: PostgresPair, hosts: tuple[Service, Service]
) -> None:
    load = Load(hosts)
    workers = [host.gunicorn.worker_pids() for host in hosts]
    with load.running():
        load.wait_for(checks=50, writes=20)
        pair.primary.kill()
        killed_at = time.monotonic()
        for host in hosts:
            ready = host.client.get("/readyz")
            assert ready.status_code == 503
            print(ready.json())
        time.sleep(1)
        pair.promote()
        promoted_at = time.monotonic()
        _wait_until_back(load, promoted_at)
        load.wait_for(checks=50, writes=20)
        during = [
            check for check in load.checks if killed_at < check.began_at < promoted_at - 0.3
        ]
        assert {check.status for check in during} == {503}
        pair.return_as_standby()
        ask(pair.primary, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'ragauth'")
        load.wait_for(checks=50, writes=20)
        assert ask(pair.standby, _OURS) == [(0,)]
        for host in hosts:
            assert host.client.get("/readyz").status_code == 200
    every_verdict_holds(load)
    nothing_acknowledged_is_lost(load)
    assert [host.gunicorn.worker_pids() for host in hosts] == workers
    import collections
    print(len(load.checks), collections.Counter(c.status for c in load.checks), len(load.keys), len(load.emails), collections.Counter(s for _, s in load.statuses_of_writes))
    print(hosts[0].gunicorn.log().count("connection"), pair.primary.log().count("FATAL"), pair.primary.log()[:3000])
