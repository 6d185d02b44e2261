"""A Postgres behind a pooler of transactions, with and without the setting that says so."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from ragauth.config import Settings
from ragauth.database_faults import DatabaseFault
from ragauth.extensions import db
from tests.api.test_unfit_databases import assert_told, start
from tests.applications import make_settings, running_app
from tests.clients import Client, ok
from tests.servers.pgbouncer import SESSIONS, find_pgbouncer, start_pgbouncer
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.skipif(
    find_pgbouncer() is None, reason="pgbouncer is not installed: apt-get install pgbouncer"
)

_TOLD = "set RAGAUTH_DATABASE_POOLER=transaction"
_TIME_OUTS = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
_LEFT = (
    "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'), count(*)"
    " FROM pg_prepared_statements"
)


@pytest.fixture(scope="module", params=["refuses options", "drops options"])
def pooled_url(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, postgres_template: str
) -> Iterator[str]:
    name = "pooler_" + request.param.partition(" ")[0]
    postgres_server.create_database(name, template=postgres_template)
    ignored = {"ignore_startup_parameters": "options"} if "drops" in request.param else {}
    with start_pgbouncer(postgres_server, **ignored) as pooler:
        yield pooler.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def settings(pooled_url: str, tmp_path: Path) -> Settings:
    return replace(make_settings(tmp_path, pooled_url), database_pooler="transaction")


def test_without_the_setting_readiness_log_metrics_and_status_name_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running_app(replace(settings, database_pooler=None)) as app:
        assert_told(Client(app), DatabaseFault.POOLED.value)
        told = app.test_cli_runner().invoke(args=["status"])
        assert told.exit_code == 1
        assert _TOLD in told.stdout
    start(monkeypatch, replace(settings, database_pooler=None))
    assert f"the database is {DatabaseFault.POOLED.value}" in caplog.messages


def test_nothing_is_left_in_a_session(settings: Settings) -> None:
    with running_app(settings) as app:
        member = Client(app).sign_up()
        for _ in range(8):
            ok(member.client.get("/api/auth/me"))
            assert member.key_client.get("/api/v1/authorize").status_code == 200
        for _ in range(2 * SESSIONS):
            with app.app_context(), db.engine.connect() as connection:
                # In no transaction of ours: as another client would find the session.
                raw = connection.connection.driver_connection
                assert raw is not None
                left = raw.execute(_LEFT).fetchone()
                assert left == ("0", "0", 0)


def test_each_transaction_has_its_time_outs(settings: Settings) -> None:
    with running_app(settings) as app, app.app_context():
        for _ in range(2 * SESSIONS):
            with db.engine.begin() as connection:
                assert tuple(connection.execute(text(_TIME_OUTS)).one()) == ("5s", "15s")


@pytest.mark.parametrize("session_attributes", ["read-write", "primary", "any"])
def test_the_url_may_ask_for_a_server_that_writes(
    settings: Settings, session_attributes: str
) -> None:
    url = f"{settings.database_url}?target_session_attrs={session_attributes}"
    with running_app(replace(settings, database_url=url)) as app:
        ok(Client(app).get("/readyz"))
