"""What the tests share: the application on SQLite and on a real Postgres, and a client for it.

A test that takes `app` or `client` finds empty tables of SQLite. Where what it tests may differ on
Postgres (queries, order, locks, races, migrations) it is marked `both_databases`; one test or more
of each way in which the service uses its database is marked `every_database`, which is a pooler
besides.
"""

import gc
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import flask_migrate
import hypothesis
import pytest
from flask import Flask
from sqlalchemy import delete, exists, literal_column, select, union_all

from ragauth import clock, create_app
from ragauth.app import add_migrations
from ragauth.config import Settings
from ragauth.extensions import db
from ragauth.policy import DEFAULT_POLICY
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.usage import save_usage
from tests import quick_apps, ready_members, slow_work
from tests.clients import Client
from tests.runtime import runtime_of
from tests.servers.chromium import launch_chromium
from tests.servers.node import install_packages
from tests.servers.pgbouncer import find_pgbouncer, start_pgbouncer
from tests.servers.postgres import PostgresServer, start_postgres
from tests.servers.processes import keep_ignored_signals_to_oneself

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from xdist.remote import Producer

    from tests.schedule import Rooms

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

SECRET_KEY = b"a secret of the tests, 32 bytes or more"
# The tables, those that others point to first; the migration's own row stays. Most are empty.
_EMPTIED = [table for table in db.metadata.sorted_tables if table.name != "installation"]
_FILLED = union_all(
    *(
        select(literal_column(f"'{table.name}'")).where(exists(select(1).select_from(table)))
        for table in _EMPTIED
    )
)
# What may matter to the request of a signup, or to its answer.
_OF_SIGNUPS = {"require_https", "trusted_proxies", "signups_per_address", "refresh_cookie"}
BCRYPT_COST = 4  # the lowest that bcrypt knows: the tests hash a thousand times


# Which databases a test asks for by its mark, by its class's or its module's; the closest wins.
_DATABASES = {
    "both_databases": ("sqlite", "postgres"),
    "every_database": ("sqlite", "postgres", "pooled"),
}


def pytest_configure(config: pytest.Config) -> None:
    # One that hands the tests to others starts no server, and the others must ignore what it does.
    if not config.getoption("numprocesses", None):
        keep_ignored_signals_to_oneself()
        # What is collected lives until the end: looking through it again and again frees nothing.
        gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    # Most of what a test makes is gone with it; a cycle may lie for a while.
    gc.set_threshold(50_000, 20, 1_000)
    gc.enable()


def pytest_unconfigure() -> None:
    """Find what was left open, once: pytest and the interpreter would look through all again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Rooms | None":
    """Whole files go to one process, in an order of our own."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.schedule import Rooms  # noqa: PLC0415 - it needs xdist

    return Rooms(config, log)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `database` once on each of those that it asks for."""
    if "database" in metafunc.fixturenames:
        for mark in metafunc.definition.iter_markers():
            if mark.name in _DATABASES:
                metafunc.parametrize("database", _DATABASES[mark.name], indirect=True)
                return


def make_settings(instance_dir: Path, database_url: str) -> Settings:
    """Settings without limits that one test could use up for another."""
    return Settings(
        instance_dir=instance_dir,
        database_url=database_url,
        secret_key=SECRET_KEY,
        redis_url=None,
        policy=DEFAULT_POLICY,
        mail_url=None,
        key_brand="rag",
        bcrypt_cost=BCRYPT_COST,
        access_token_seconds=3600,
        refresh_token_seconds=604_800,
        login_failures_per_account=0,
        login_failures_per_address=0,
        signups_per_address=0,
        require_https=False,
        trusted_proxies=0,
        cors_origins=(),
        refresh_cookie=False,
        old_secret_keys=(),
        session_seconds=2_592_000,
        reservation_seconds=900,
        event_days=365,
        mail_from="ragauth <no-reply@ragauth.test>",
        dashboard_url="https://app.test",
        compat=(),
        compat_query_upstream=None,
        webhook_private_networks=False,
        metrics_token=None,
        github_keys_url=None,
        leaked_keys="notify",
        database_pooler=None,
    )


def make_testing_app(settings: Settings) -> Flask:
    """An application whose requests come from no server, with the answers that a server gives."""
    app = create_app(settings)
    app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
    add_migrations(app)
    return app


@contextmanager
def running_app(settings: Settings) -> Iterator[Flask]:
    """An application whose connections are closed in the end."""
    app = make_testing_app(settings)
    try:
        yield app
    finally:
        runtime_of(app).close()


def _migrate(settings: Settings) -> None:
    with running_app(settings) as app, app.app_context():
        flask_migrate.upgrade()


@pytest.fixture(autouse=True)
def _no_slow_work_in_transactions() -> Iterator[None]:
    """A test fails in which somebody hashed, or went over a network, within a transaction."""
    slow_work.found.clear()
    yield
    assert slow_work.found == []


@pytest.fixture(autouse=True)
def _environment_is_left_as_it_was() -> Iterator[None]:
    """A test fails that leaves a variable to those that follow it in the same process."""
    before = _environment()
    yield
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
    with application.app_context():
        # What an earlier test counted must not come to light in this one.
        counters = current_limits().counters
        save_usage(counters)
        # Nor may a throttle that an earlier one filled: a day from now, each window is over.
        while counters.prune(clock.now_ns() // 1_000_000 + 86_400_000):
            pass
        with db.engine.begin() as connection:
            filled = set(connection.scalars(_FILLED))
            for table in reversed(_EMPTIED):
                if table.name in filled:
                    connection.execute(delete(table))
    # Nor may mail that nobody received.
    for path in (runtime_of(application).settings.instance_dir / "outbox").glob("*.eml"):
        path.unlink()
    runtime_of(application).signing_ring.forget()
    # Nor may it be remembered that keys of another system were imported.
    lookup = runtime_of(application).key_checker.lookup
    lookup._has_imported, lookup._imported_checked_at = False, -math.inf
    lookup._texts_before, lookup._texts_read_at = (), -math.inf
    return application


@pytest.fixture
def client(app: Flask) -> Client:
    """A client without a credential."""
    return Client(app)


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
