"""One service on each database, for all tests that do not need one of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import pytest

from tests.e2e.service import QUICK, Installation, Service, User, install
from tests.servers.postgres import PostgresServer, start_postgres

NewInstallation = Callable[[str], Installation]
on_sqlite, on_postgres = (
    pytest.mark.parametrize("service", [name], indirect=True, scope="module")
    for name in ("sqlite", "postgres")
)


@pytest.fixture(scope="session")
def new_installation(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    postgres_template: str,
) -> Iterator[NewInstallation]:
    """Make an installation with a migrated database, `sqlite` or `postgres`."""
    with _installations(tmp_path_factory, postgres_server, postgres_template) as make:

        def make_migrated(database: str) -> Installation:
            installation = make(database)
            if database == "sqlite":
                installation.migrate()
            return installation

        yield make_migrated


@pytest.fixture(scope="session")
def empty_installation(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[NewInstallation]:
    """Make an installation that was not migrated, `sqlite` or `postgres`."""
    with _installations(tmp_path_factory, postgres_server, None) as make:
        yield make


@contextmanager
def _installations(
    tmp_path_factory: pytest.TempPathFactory, server: PostgresServer, template: str | None
) -> Iterator[NewInstallation]:
    """Yield what makes them: on Postgres with a copy of the template, if there is one."""
    with ExitStack() as databases:

        def make(database: str) -> Installation:
            folder = tmp_path_factory.mktemp("installation")
            if database == "sqlite":
                return install(folder, **QUICK)
            name = f"e2e_{uuid4().hex}"
            server.create_database(name, template)
            databases.callback(server.drop_database, name)
            return install(folder, server.url(name), **QUICK)

        yield make


@pytest.fixture(scope="session")
def mortal_postgres() -> Iterator[PostgresServer]:
    """A server to be stopped or frozen by tests that let it run again in the end."""
    with start_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def services(new_installation: NewInstallation) -> Iterator[Callable[[str], Service]]:
    """The service on a database, started when it is first asked for."""
    with ExitStack() as running:
        started: dict[str, Service] = {}

        def service_on(database: str) -> Service:
            if database not in started:
                installation = new_installation(database)
                started[database] = running.enter_context(installation.serve())
            return started[database]

        yield service_on


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, services: Callable[[str], Service]) -> Service:
    """Where the databases cannot differ, `on_sqlite` or `on_postgres` says which is asked."""
    return services(request.param)


@pytest.fixture(scope="module")
def user(service: Service) -> User:
    """Someone with room for the keys of one file, who may change something 120 times a minute."""
    return service.sign_up(plan="scale")
