"""One ragauth that sells tokens, for the client and for the frameworks that it protects."""

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from ragauth_client import AsyncClient, Client

from tests.e2e.service import Service, User, install
from tests.examples.stack import EXAMPLES
from tests.loops import LoopBeside
from tests.servers.quick_hashes import QUICK_HASHES


@dataclass(frozen=True)
class Vendor:
    """A running ragauth, and a key of the vendor's own service."""

    ragauth: Service
    service_key: str

    @property
    def url(self) -> str:
        return self.ragauth.gunicorn.url


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    settings = {"RAGAUTH_POLICY_FILE": str(EXAMPLES / "policy.toml"), QUICK_HASHES: "yes"}
    installation = install(tmp_path_factory.mktemp("vendor"), **settings)
    installation.migrate()
    scopes = [word for scope in ("verify", "accounts", "keys") for word in ("--scope", scope)]
    made = installation.command("service-keys", "create", "--name", "api", *scopes, "--json")
    with installation.serve(workers=1) as ragauth:
        yield Vendor(ragauth, json.loads(made)["api_key"])


@pytest.fixture
def customer(vendor: Vendor) -> User:
    return vendor.ragauth.sign_up()


class Blocking:
    """An AsyncClient whose methods are awaited here, so that one test asks both clients."""

    def __init__(self, client: AsyncClient, loop: LoopBeside) -> None:
        self._client = client
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if not inspect.iscoroutinefunction(method):
            return method
        return lambda *args, **kwargs: self._loop.run(method(*args, **kwargs))


@pytest.fixture(params=["sync", "async"])
def make_client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes clients of the one and of the other kind; they are closed in the end."""
    with LoopBeside() as loop:
        made: list[Any] = []

        def make(*args: Any, **kwargs: Any) -> Any:
            if request.param == "sync":
                made.append(Client(*args, **kwargs))
            else:
                made.append(Blocking(AsyncClient(*args, **kwargs), loop))
            return made[-1]

        yield make
        for client in made:
            client.close() if isinstance(client, Client) else client.aclose()


@pytest.fixture
def client(make_client: Any, vendor: Vendor) -> Any:
    return make_client(vendor.url, vendor.service_key)


@pytest.fixture
def sync_client(vendor: Vendor) -> Iterator[Client]:
    with Client(vendor.url, vendor.service_key) as client:
        yield client
