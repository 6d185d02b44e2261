"""One service with customers in every state, and the console's own server in front of it."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from playwright.sync_api import Browser

from tests.dashboard.conftest import CHROMIUM
from tests.dashboard.place import Place, Visitor
from tests.e2e.service import PASSWORD, install
from tests.servers.gunicorn import PROJECT_ROOT
from tests.servers.processes import ServerProcess, free_port
from tests.servers.quick_hashes import QUICK_HASHES
from tests.waiting import wait_until

CONSOLE = PROJECT_ROOT / "examples" / "console"
METRICS_TOKEN = "a-token-that-Prometheus-has"
SCOPES = ("accounts", "keys", "usage", "webhooks")
LONG = "W" * 100
POLICY = """
[meters.tokens]
description = "Tokens in and out"
[plans.trial]
max_keys = 5
max_agents = 2
limits = { requests = { minute = 60, month = 1_000 }, tokens = { month = 200_000 } }
[plans.pro]
max_keys = 50
max_agents = 100
limits = { requests = { minute = 1_200, month = 1_000_000 } }
"""

if CHROMIUM is None:
    collect_ignore_glob = ["test_*.py"]


_LEAVE = """
async () => {
  const [client, router] = await Promise.all(
    ["client", "router"].map((name) => import(`/js/${name}.js`)),
  );
  client.lock();
  await router.navigate("/");
  document.querySelector("#notices").replaceChildren();
  return document.querySelector("[name=key]")?.value === "" && !document.querySelector("dialog");
}
"""


@dataclass(frozen=True)
class Operated(Place):
    """A place whose visitors are operators: a service, its customers, a console."""

    keys: dict[tuple[str, ...], str] = field(default_factory=dict)
    entrance: ClassVar[str] = "/"
    leave: ClassVar[str] = _LEAVE

    def key(self, *scopes: str) -> str:
        """A service key that nobody revokes; its raw form."""
        if scopes not in self.keys:
            self.keys[scopes] = self.make_key(*scopes)
        return self.keys[scopes]

    def make_key(self, *scopes: str) -> str:
        """A service key; its raw form."""
        command = ["service-keys", "create", "--name", "console"]
        for scope in scopes:
            command += ["--scope", scope]
        made = self.service.installation.command(*command, "--json")
        key: str = json.loads(made)["api_key"]
        return key

    def ask(self, method: str, path: str, key: str, **options: Any) -> Any:
        """The data of an answer to a service key, past the console."""
        return self.call(method, f"/api/v1/internal{path}", token=key, **options)

    def sign_up(self, email: str, **fields: Any) -> dict[str, Any]:
        body = {"email": email, "password": PASSWORD, **fields}
        answer: dict[str, Any] = self.call("POST", "/api/auth/signup", json=body)
        return answer


@contextmanager
def serve_console(folder: Path, api: str) -> Iterator[str]:
    """Yield the console's origin, with its server as `make console` starts it."""
    port = free_port()
    process = ServerProcess(
        [sys.executable, CONSOLE / "serve.py", "--port", str(port), "--api", api],
        folder=folder,
        environment={"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        last_signal=signal.SIGTERM,
    )
    try:
        wait_until(lambda: "Ctrl-C" in process.log() or process.exit_code() is not None)
        assert process.exit_code() is None, process.log()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop(signal.SIGTERM, 20)


@pytest.fixture(scope="session")
def place(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    folder = tmp_path_factory.mktemp("console")
    policy = folder / "policy.toml"
    policy.write_text(POLICY, "utf-8")
    settings = {
        "RAGAUTH_POLICY_FILE": str(policy),
        "RAGAUTH_METRICS_TOKEN": METRICS_TOKEN,
        "RAGAUTH_WEBHOOK_PRIVATE_NETWORKS": "true",
        QUICK_HASHES: "yes",
    }
    installation = install(folder, **settings)
    installation.migrate()
    with (
        installation.serve(workers=1) as service,
        serve_console(tmp_path_factory.mktemp("served"), service.gunicorn.url) as origin,
        closing(Operated("console", service, origin, browser)) as operated,
    ):
        yield operated


@pytest.fixture(scope="module")
def operator(place: Operated) -> Iterator[Visitor]:
    """Somebody who opened the console with a key that may do everything."""
    with place.next_visitor() as visitor:
        open_console(visitor, place.key(*SCOPES))
        yield visitor


@pytest.fixture
def visitor(place: Operated) -> Iterator[Visitor]:
    """Somebody before the console, who has opened nothing yet; a test may move their clock on."""
    with place.next_visitor(moves_clock=True) as someone:
        yield someone


def open_console(visitor: Visitor, key: str, path: str = "/") -> None:
    visitor.show(path)
    visitor.fill(key=key, metrics=METRICS_TOKEN)
    visitor.press("Open")
