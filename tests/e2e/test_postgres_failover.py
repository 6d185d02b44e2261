"""S48: a standby that takes over has all that was acknowledged, and lets no dead key in."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from ragauth.config.urls import database_url
from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import db
from ragauth.models.reads.prepared import PreparedReads
from tests.applications import make_settings, running_app
from tests.e2e.failover_load import Load, every_verdict_holds, nothing_acknowledged_is_lost
from tests.e2e.service import PASSWORD, Service, install
from tests.servers.postgres_pair import PostgresPair, ask, start_postgres_pair
from tests.servers.quick_hashes import QUICK_HASHES
from tests.waiting import slowness

_BACK_SECONDS = 5
_PLANS = """
[plans.trial]
limits.requests.minute = 1_000_000
limits.requests.month = 1_000_000_000
max_keys = 10
max_agents = 1
"""
# What an administrator does who sees a commit that does not end.
_CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
_FENCED = "SHOW default_transaction_read_only"
_BEGUN_BEFORE = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ragauth' AND xact_start < %s"
)
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
            (folder / "policy.toml").write_text(_PLANS)
            settings = {"RAGAUTH_POLICY_FILE": str(folder / "policy.toml"), QUICK_HASHES: "yes"}
            installation = install(folder, pair.url("ragauth"), **settings)
            if not services:
                installation.command("db", "upgrade")
            services.append(running.enter_context(installation.serve(workers=1)))
        yield services[0], services[1]


@pytest.fixture(autouse=True)
def whole_pair(pair: PostgresPair) -> None:
    """Each test begins with a primary and a synchronous standby."""
    if not pair.is_whole:
        pair.return_as_standby()


def _wait_until_back(load: Load, since: float) -> None:
    for number in range(len(load.services)):
        while (back_at := load.back_at(number, since)) is None:
            assert time.monotonic() - since < _BACK_SECONDS * slowness()
            time.sleep(0.05)
        assert back_at - since < _BACK_SECONDS * slowness()


def _connect_anew(pair: PostgresPair) -> None:
    """End the services' connections: the first of the hosts is tried first again."""
    ask(
        pair.primary,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ragauth'",
    )


def test_a_killed_primary_loses_nothing_and_is_not_asked_when_it_comes_back_as_a_standby(
    pair: PostgresPair, hosts: tuple[Service, Service]
) -> None:
    load = Load(hosts)
    workers = [host.gunicorn.worker_pids() for host in hosts]
    with load.running():
        load.wait_for(checks=20, writes=8)
        pair.primary.kill()
        killed_at = time.monotonic()
        for host in hosts:
            ready = host.client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["error"]["details"]["checks"]["database"] == "read-only"
            assert "ragauth_database_writable 0.0" in host.client.get("/metrics").text
        load.wait_until(lambda: len(load.checks_within(killed_at)) >= 20)
        about_to_promote_at = time.monotonic()
        pair.promote()
        _wait_until_back(load, time.monotonic())
        load.wait_for(checks=20, writes=8)
        without = load.checks_within(killed_at, about_to_promote_at)
        assert {check.status for check in without} == {503}
        pair.return_as_standby()
        _connect_anew(pair)
        load.wait_for(checks=20, writes=8)
        # Who connects asks the first host what it is, and leaves it again.
        load.wait_until(lambda: ask(pair.standby, _OURS) == [(0,)])
        assert ask(pair.primary, _OURS) != [(0,)]
    every_verdict_holds(load)
    nothing_acknowledged_is_lost(load)
    for host in hosts:
        assert host.client.get("/readyz").status_code == 200
    assert [host.gunicorn.worker_pids() for host in hosts] == workers


def test_a_standby_that_is_named_alone_is_asked_only_where_the_url_says_so(
    pair: PostgresPair, hosts: tuple[Service, Service], tmp_path: Path
) -> None:
    """It may be behind: a revoked key would be alive there."""

    def read(parameters: str) -> object:
        url = database_url(f"{pair.standby.url('ragauth')}{parameters}", tmp_path)
        with running_app(make_settings(tmp_path, url)) as app, app.app_context():
            reads = PreparedReads(db.engine, url)
            try:
                return reads.read("SELECT 1", {})
            finally:
                reads.close()

    with pytest.raises(ExternalServiceUnavailable):
        read("")
    assert read("?target_session_attrs=any") == [(1,)]


def test_connections_to_a_primary_that_was_fenced_are_left(
    pair: PostgresPair, hosts: tuple[Service, Service]
) -> None:
    """It goes on answering, and would let the keys in that its successor revokes."""
    load = Load(hosts)
    with load.running():
        load.wait_for(checks=20, writes=8)
        # Nothing more is acknowledged here, and the connections stay open.
        ask(pair.primary, "ALTER SYSTEM SET default_transaction_read_only = on")
        ask(pair.primary, "SELECT pg_reload_conf()")
        # What began before is acknowledged while the standby is still one.
        load.wait_until(lambda: ask(pair.primary, _FENCED) == [("on",)])
        began = ask(pair.primary, "SELECT now()")[0]
        load.wait_until(lambda: ask(pair.primary, _BEGUN_BEFORE, began) == [(0,)])
        pair.promote()
        _wait_until_back(load, time.monotonic())
        load.wait_for(checks=20, writes=8)
    every_verdict_holds(load)
    nothing_acknowledged_is_lost(load)


def test_a_commit_is_not_acknowledged_when_its_wait_for_the_standby_was_cancelled(
    pair: PostgresPair, hosts: tuple[Service, Service]
) -> None:
    """Postgres itself calls such a commit done, and tells of the rest in a warning."""
    host = hosts[0]
    pair.lose_standby()
    body = {"email": "cancelled@example.com", "password": PASSWORD}
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(host.client.post, "/api/auth/signup", json=body)
        deadline = time.monotonic() + _BACK_SECONDS
        # What the service does beside the requests waits for the standby too.
        while not answer.done():
            assert time.monotonic() < deadline
            ask(pair.primary, _CANCEL)
            time.sleep(0.02)
        assert answer.result().status_code == 503, answer.result().text
    assert "a commit was cancelled while it waited for a standby" in host.gunicorn.log()
