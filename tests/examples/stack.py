"""What the tests of the examples start: ragauth's database, the sample service, a gateway."""

import json
import os
import secrets
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.e2e.service import Installation
from tests.servers.gunicorn import NO_TLS, PROJECT_ROOT, GunicornServer, start_gunicorn
from tests.servers.processes import ServerProcess, free_port

EXAMPLES = PROJECT_ROOT / "examples"
GATEWAYS = EXAMPLES / "gateways"

_START_SECONDS = 20
_STOP_SECONDS = 20


def start_rag_service(environment: Mapping[str, str]) -> AbstractContextManager[GunicornServer]:
    """Start the sample service."""
    return start_gunicorn(
        environment, workers=1, app="app:app", config=None, cwd=EXAMPLES / "rag_service"
    )


def make_service_key(installation: Installation) -> str:
    """A key with which a service asks, settles and reports."""
    create = ("service-keys", "create", "--name", "rag", "--scope", "verify", "--json")
    raw_key: str = json.loads(installation.command(*create))["api_key"]
    return raw_key


class Customer:
    """An account of ragauth and what its owner does in the dashboard."""

    def __init__(self, ragauth_url: str) -> None:
        self._dashboard = httpx.Client(base_url=f"{ragauth_url}/api", timeout=30, verify=NO_TLS)
        signed_up = self.post(
            "/auth/signup",
            email=f"{secrets.token_hex(8)}@example.com",
            password="your-secure-password",
        )
        self.id: str = signed_up["account"]["id"]
        self.key: str = signed_up["api_key"]
        self._dashboard.headers["Authorization"] = f"Bearer {signed_up['token']}"

    def __enter__(self) -> "Customer":
        return self

    def __exit__(self, *_: object) -> None:
        self._dashboard.close()

    def post(self, path: str, **body: Any) -> Any:
        answer = self._dashboard.post(path, json=body) if body else self._dashboard.post(path)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def make_agent(self) -> str:
        agent_id: str = self.post("/agents", name="Bot")["id"]
        return agent_id

    def make_key(self, **fields: Any) -> str:
        raw_key: str = self.post("/auth/api-keys", name="Test", **fields)["api_key"]
        return raw_key

    def regenerate_key(self) -> str:
        raw_key: str = self.post("/auth/api-key/regenerate")["api_key"]
        return raw_key


GatewayStarter = Callable[..., AbstractContextManager[str]]


@contextmanager
def start_gateway(
    example: str,
    command: Callable[[Path], list[str]],
    *,
    ragauth_url: str,
    service_url: str,
    adapt: Callable[[str], str] = str,
    environment: Callable[[Path], Mapping[str, str]] = lambda folder: {},
) -> Iterator[str]:
    """Yield the URL of a gateway with the example's own configuration, its ports replaced.

    `command` and `environment` get the folder that holds the configuration and nothing else.
    """
    port = free_port()
    text = adapt((GATEWAYS / example).read_text(encoding="utf-8"))
    ports = {"8000": urlsplit(ragauth_url).port, "9000": urlsplit(service_url).port, "8080": port}
    for old, new in ports.items():
        for form in ("127.0.0.1:{}", "port_value: {}"):
            text = text.replace(form.format(old), form.format(new))
    with tempfile.TemporaryDirectory(prefix="ragauth-gateway-") as name:
        folder = Path(name)
        (folder / example).write_text(text, encoding="utf-8")
        process = ServerProcess(
            command(folder),
            folder=folder,
            environment={"PATH": os.defpath, **environment(folder)},
            cwd=folder,
            last_signal=signal.SIGTERM,
        )
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stop(signal.SIGTERM, _STOP_SECONDS)


def _wait_for(port: int, process: ServerProcess) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.exit_code() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the gateway did not start:\n{process.log()}") from None
            time.sleep(0.02)
        else:
            return
