"""One ragauth for the gateways, and a note on the gateways that are not installed."""

import os
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.service import Installation, install
from tests.examples.programs import INSTALLED_BY, missing_programs
from tests.examples.stack import (
    EXAMPLES,
    Customer,
    GatewayStarter,
    start_rag_service,
)
from tests.servers.gunicorn import NO_TLS, GunicornServer, start_gunicorn
from tests.servers.quick_hashes import QUICK_HASHES

collect_ignore = [f"test_{name}.py" for name in missing_programs()]


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say what was left out. In a run of several processes the first one says it."""
    if getattr(config, "workerinput", {"workerid": "gw0"})["workerid"] == "gw0":
        for name in missing_programs():
            line = f"tests/examples/test_{name}.py left out, {name} is missing: "
            os.write(sys.__stderr__.fileno(), f"{line}{INSTALLED_BY[name]}\n".encode())


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A migrated ragauth on SQLite, behind one proxy."""
    settings = {"RAGAUTH_TRUSTED_PROXIES": "1", QUICK_HASHES: "yes"}
    installation = install(tmp_path_factory.mktemp("ragauth"), **settings)
    installation.migrate()
    return installation


@pytest.fixture(scope="session")
def ragauth(installation: Installation) -> Iterator[GunicornServer]:
    with start_gunicorn(installation.environment) as server:
        yield server


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A migrated ragauth on SQLite that sells tokens, by the example of a policy file."""
    settings = {"RAGAUTH_POLICY_FILE": str(EXAMPLES / "policy.toml"), QUICK_HASHES: "yes"}
    installation = install(tmp_path_factory.mktemp("vendor"), **settings)
    installation.migrate()
    return installation


@pytest.fixture(scope="session")
def vendors_ragauth(vendor: Installation) -> Iterator[GunicornServer]:
    with start_gunicorn(vendor.environment) as server:
        yield server


@pytest.fixture
def customer(ragauth: GunicornServer) -> Iterator[Customer]:
    """A fresh account with its first key."""
    with Customer(ragauth.url) as someone:
        yield someone


@pytest.fixture
def stranger(ragauth: GunicornServer) -> Iterator[Customer]:
    """Another account."""
    with Customer(ragauth.url) as someone:
        yield someone


@pytest.fixture(scope="session")
def rag_service() -> Iterator[GunicornServer]:
    """The sample service behind a gateway.

    Its server takes X_Name for X-Name, as careless ones do: no gateway may rely on better.
    """
    with start_rag_service(
        {"RAG_SERVICE_BEHIND_GATEWAY": "true", "GUNICORN_CMD_ARGS": "--header-map=dangerous"}
    ) as server:
        yield server


@pytest.fixture(scope="module")
def url(
    start: GatewayStarter, ragauth: GunicornServer, rag_service: GunicornServer
) -> Iterator[str]:
    """The gateway of the module, which says in its fixture `start` how one is started."""
    with start(ragauth_url=ragauth.url, service_url=rag_service.url) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30, verify=NO_TLS) as client:
        yield client
