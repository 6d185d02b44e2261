"""What the tests share: the application on SQLite and on a real Postgres, and a client for it."""

import math
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask_migrate
import hypothesis
import pytest
from flask import Flask
from sqlalchemy import delete, exists, literal_column, null, select, text, union_all, update

from ragauth import clock
from ragauth.config import Settings
from ragauth.database import execute
from ragauth.extensions import db
from ragauth.models import Installation
from ragauth.runtime import Runtime
from ragauth.services.accounts.limit_notices import LimitNotices
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.usage import save_usage
from tests import quick_apps, ready_members, slow_work
from tests.applications import make_settings, make_testing_app, running_app
from tests.clients import Client
from tests.runtime import replace_parts, runtime_of
from tests.servers.chromium import launch_chromium
from tests.servers.node import install_packages
from tests.servers.pgbouncer import find_pgbouncer, start_pgbouncer
from tests.servers.postgres import PostgresServer, start_postgres
from tests.servers.processes import refusing_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A busy machine is slow; and each run asks the same, while `make test-fuzz` looks further.
hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    derandomize=True,
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "30")),
)
hypothesis.settings.load_profile("tests")

slow_work.refuse_slow_work()
quick_apps.write_builders_late()
quick_apps.read_rules_once()
quick_apps.compile_statements_once()
quick_apps.read_authorities_once()
ready_members.take_ready_hashes()

# Each table is emptied before those that it points to. Most are empty. The row that the migration
# makes stays; only what the service notes in it is taken out. All of it as text: the driver alone
# takes half the time.
_EMPTIED = {
    table.name: str(delete(table))
    for table in reversed(db.metadata.sorted_tables)
    if table.name != "installation"
}
_FILLED = str(
    union_all(
        *(
            select(literal_column(f"'{name}'")).where(exists(select(1).select_from(text(name))))
            for name in _EMPTIED
        )
    )
)
_NEW_AGAIN = str(
    update(Installation)
    .where(Installation.expired_until.is_not(None))
    .values(expired_until=null(), expired_key_id=null())
)
# What may matter to the request of a signup, or to its answer.
_OF_SIGNUPS = {"require_https", "trusted_proxies", "signups_per_address", "refresh_cookie"}


def _migrate(settings: Settings) -> None:
    with running_app(settings) as app, app.app_context():
        flask_migrate.upgrade()


@pytest.fixture(autouse=True)
def _does_no_wrong() -> Iterator[None]:
    """A test fails in which somebody hashed, or went over a network, within a transaction.

    And one that leaves a variable to those that follow it in the same process.
    """
    slow_work.found.clear()
    before = _environment()
    yield
    assert slow_work.found == []
    assert _environment() == before


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    folder = tmp_path_factory.mktemp("sqlite-template")
    path = folder / "ragauth.db"
    _migrate(make_settings(folder, f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with start_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a migrated database to copy; TEST_DATABASE_URL may serve several runs."""
    name = f"ragauth_template_{os.getpid()}"
    postgres_server.create_database(name)
    _migrate(make_settings(tmp_path_factory.mktemp("template"), postgres_server.url(name)))
    yield name
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def sqlite_app(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("sqlite")
    path = shutil.copy(sqlite_template, folder)
    with running_app(make_settings(folder, f"sqlite:///{path}")) as app:
        yield app


@pytest.fixture(scope="session")
def postgres_app(
    postgres_server: PostgresServer,
    postgres_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    name = f"ragauth_tests_{os.getpid()}"
    postgres_server.create_database(name, template=postgres_template)
    folder = tmp_path_factory.mktemp("postgres")
    with running_app(make_settings(folder, postgres_server.url(name))) as app:
        yield app
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def pooled_app(
    postgres_server: PostgresServer,
    postgres_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """On a Postgres behind PgBouncer, whose own sessions have neither our zone nor our limits."""
    if find_pgbouncer() is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    name = f"ragauth_pooled_{os.getpid()}"
    postgres_server.create_database(name, template=postgres_template)
    postgres_server.set_by_default(name, "timezone", "Asia/Kolkata")
    folder = tmp_path_factory.mktemp("pooled")
    with start_pgbouncer(postgres_server) as pooler:
        settings = make_settings(folder, pooler.url(name))
        with running_app(replace(settings, database_pooler="transaction")) as app:
            yield app
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A real Chromium; one for all, for playwright has one event loop in a process."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - few tests need it

    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The npm packages of the tests."""
    return install_packages(tmp_path_factory.mktemp("node"))


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on."""
    name: str = getattr(request, "param", "sqlite")
    return name


@pytest.fixture
def app(database: str, request: pytest.FixtureRequest) -> Flask:
    """The application, with empty tables."""
    application: Flask = request.getfixturevalue(f"{database}_app")
    application.config[ready_members.READY_MEMBERS] = True
    _forget(application)
    with application.app_context(), db.engine.begin() as connection:
        filled = set(execute(connection, _FILLED).fetchall())
        for name, statement in _EMPTIED.items():
            if (name,) in filled:
                execute(connection, statement)
        execute(connection, _NEW_AGAIN)
    return application


def _forget(application: Flask) -> None:
    """Let nothing that an earlier test did come to light in a later one; the tables aside."""
    with application.app_context():
        counters = current_limits().counters
        save_usage(counters)
        # Nor may a throttle that an earlier one filled: a day from now, each window is over.
        while counters.prune(clock.now_ns() // 1_000_000 + 86_400_000):
            pass
    runtime = runtime_of(application)
    # Nor may mail that nobody received.
    for path in (runtime.settings.instance_dir / "outbox").glob("*.eml"):
        path.unlink()
    runtime.signing_ring.forget()
    # Nor may it be remembered whose limits were looked at, by a clock that may have been another.
    replace_parts(application, limit_notices=LimitNotices(runtime.limits))
    # Nor that keys of another system were imported.
    lookup = runtime.key_checker.lookup
    lookup._has_imported, lookup._imported_checked_at = False, -math.inf
    lookup._texts_before, lookup._texts_read_at = (), -math.inf


@pytest.fixture
def client(app: Flask) -> Client:
    """A client without a credential."""
    return Client(app)


@pytest.fixture
def port_of_nobody() -> Iterator[int]:
    """A loopback port that refuses every connection."""
    with refusing_port() as port:
        yield port


@pytest.fixture
def make_app(app: Flask, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes a further application on the same database, with other settings.

    As one on another host it has an instance folder, and counters, of its own.
    """
    settings: Settings = runtime_of(app).settings
    made: list[Flask] = []

    def make(**changes: object) -> Flask:
        folder = tmp_path / f"instance-{len(made)}"
        folder.mkdir()
        made.append(make_testing_app(replace(settings, **{"instance_dir": folder, **changes})))
        made[-1].config[ready_members.READY_MEMBERS] = not _OF_SIGNUPS & changes.keys()
        return made[-1]

    yield make
    for application in made:
        runtime_of(application).close()


@pytest.fixture(scope="module")
def _shared() -> Iterator[dict[str, Flask]]:
    made: dict[str, Flask] = {}
    yield made
    for application in made.values():
        runtime_of(application).close()


@pytest.fixture
def share_app(
    app: Flask, _shared: dict[str, Flask], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Flask]]:
    """As `make_app`, but tests of a module that ask for the same settings share one application.

    To make one costs as much as many requests do. It remembers which origins CORS has told of, and
    GitHub's keys: a test of these makes its own.
    """
    asked: list[tuple[Flask, Runtime]] = []

    def share(**changes: Any) -> Flask:
        settings = replace(runtime_of(app).settings, **changes)
        name = repr(replace(settings, instance_dir=Path()))
        if name not in _shared:
            folder = tmp_path_factory.mktemp("shared")
            _shared[name] = make_testing_app(replace(settings, instance_dir=folder))
            is_ready = not _OF_SIGNUPS & changes.keys()
            _shared[name].config[ready_members.READY_MEMBERS] = is_ready
        asked.append((_shared[name], runtime_of(_shared[name])))
        return _shared[name]

    yield share
    for application, runtime in reversed(asked):
        # A test may have put another part in.
        application.extensions["ragauth"] = runtime
        _forget(application)
