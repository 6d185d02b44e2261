"""Unkey's official clients, each against a service on each database."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service
from tests.e2e.unkey.clients import Answer, OfficialClient, OfPython, node_client
from tests.servers.node import HAS_NPM, MISSING

# How often a minute the keys of an account's first plan may be used.
PLAN_MINUTE = 5
_POLICY = f"""
[plans.trial]
max_keys = 5
max_agents = 2
limits = {{ requests = {{ minute = {PLAN_MINUTE}, month = 1_000 }} }}
"""
_EVERY_SCOPE = ("verify", "keys", "accounts", "usage")


class Vendor:
    """Who has root keys, and calls by one of the official clients."""

    def __init__(self, service: Service, client: OfficialClient) -> None:
        self.service = service
        self.client = client
        self._root_key = self.root_key(*_EVERY_SCOPE)

    def root_key(self, *scopes: str) -> str:
        """A service key with these scopes."""
        options = [option for scope in scopes for option in ("--scope", scope)]
        made = self.service.installation.command(
            "service-keys", "create", "--name", "unkey", *options, "--json"
        )
        key: str = json.loads(made)["api_key"]
        return key

    def data(self, method: str, **body: Any) -> Any:
        """The data of an answer that must be a success; its request id is looked at."""
        answer = self.ask(method, **body)
        assert answer.error is None, answer
        assert answer.body["meta"]["requestId"]
        return answer.body["data"]

    def ask(self, method: str, root_key: str | None = None, **body: Any) -> Answer:
        return self.client.ask(root_key or self._root_key, method, body)

    def ask_list(self, method: str, body: list[Any]) -> Answer:
        """Of a method that takes a list."""
        return self.client.ask(self._root_key, method, body)

    def refused(self, method: str, root_key: str | None = None, **body: Any) -> Answer:
        """An answer that must be a refusal in Unkey's form."""
        answer = self.ask(method, root_key, **body)
        assert answer.error is not None, answer
        assert set(answer.body) == {"meta", "error"}, answer
        assert answer.body["error"]["status"] == answer.status
        return answer

    def verify(self, key: str, **body: Any) -> dict[str, Any]:
        verdict: dict[str, Any] = self.data("keys.verifyKey", key=key, **body)
        return verdict

    def new_api(self, name: str = "payments") -> str:
        api_id: str = self.data("apis.createApi", name=name)["apiId"]
        return api_id

    def new_key(self, api_id: str, **fields: Any) -> tuple[str, str]:
        """The id of a new key and its raw form."""
        made = self.data("keys.createKey", apiId=api_id, **fields)
        return made["keyId"], made["key"]


@pytest.fixture(scope="session")
def unkey_services(
    new_installation: NewInstallation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Service]]:
    """The service with the face, on a database; started when it is first asked for."""
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text(_POLICY, "utf-8")
    settings = {"RAGAUTH_COMPAT": "unkey", "RAGAUTH_POLICY_FILE": str(policy)}
    with ExitStack() as running:
        started: dict[str, Service] = {}

        def service_on(database: str) -> Service:
            if database not in started:
                installation = new_installation(database)
                started[database] = running.enter_context(installation.serve(**settings))
            return started[database]

        yield service_on


# Each client once and each database once.
@pytest.fixture(scope="session", params=["node-sqlite", "python-postgres"])
def vendor(
    request: pytest.FixtureRequest,
    unkey_services: Callable[[str], Service],
    node_modules: Path,
) -> Iterator[Vendor]:
    language, database = request.param.split("-")
    service = unkey_services(database)
    url = f"{service.gunicorn.url}/compat/unkey"
    if language == "python":
        yield Vendor(service, OfPython(url, service.client))
        return
    if not HAS_NPM:
        pytest.skip(MISSING)
    with node_client(url, node_modules) as client:
        yield Vendor(service, client)
