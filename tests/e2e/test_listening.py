"""The server listens on a Unix socket and on IPv6, with its own worker and with gunicorn's."""

import os
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import COMMAND_SECONDS, PASSWORD
from tests.servers.commands import ForkedCommand
from tests.servers.gunicorn import NO_TLS, PROJECT_ROOT
from tests.servers.processes import ServerProcess, free_port, has_ipv6
from tests.waiting import wait_until

_GUNICORN = ("gunicorn", "-c", "python:ragauth.gunicorn_conf", "wsgi:app")


def test_each_kind_of_address_is_served_once(
    new_installation: NewInstallation, tmp_path: Path
) -> None:
    installation = new_installation("sqlite")
    path, port = str(tmp_path / "socket"), free_port()
    base = {"PATH": os.defpath, "PORT": str(port), **installation.environment}
    # gunicorn alone would fail for an empty WEB_CONCURRENCY.
    at_socket = {**base, "HOST": f"unix:{path}", "WEB_CONCURRENCY": "", "WEB_THREADS": " "}
    # A machine without IPv6 has the other loopback.
    host, shown = ("::1", "[::1]") if has_ipv6() else ("127.0.0.1", "127.0.0.1")
    family = socket.AF_INET6 if has_ipv6() else socket.AF_INET
    at_ipv6 = {**base, "HOST": host, "RAGAUTH_SERVER": "gunicorn", "WEB_CONCURRENCY": "1"}
    with ExitStack() as stack:
        for name, environment, words in (
            ("socket", at_socket, ("flask", "--app", "wsgi", "serve")),
            ("ipv6", at_ipv6, _GUNICORN),
        ):
            folder = tmp_path / f"{name}-log"
            folder.mkdir()
            server = ServerProcess(
                [sys.executable, "-m", *words],
                folder=folder,
                environment=environment,
                cwd=PROJECT_ROOT,
                last_signal=signal.SIGTERM,
            )
            stack.callback(server.stop, signal.SIGTERM, COMMAND_SECONDS)
        wait_until(lambda: _answers(socket.AF_UNIX, path))
        wait_until(lambda: _answers(family, (host, port)))
        for number, (transport, url) in enumerate(
            (
                (httpx.HTTPTransport(uds=path, verify=NO_TLS), "http://ragauth.test"),
                (httpx.HTTPTransport(verify=NO_TLS), f"http://{shown}:{port}"),
            )
        ):
            with httpx.Client(transport=transport, base_url=url, timeout=30) as client:
                body = {"email": f"a{number}@example.com", "password": PASSWORD}
                key = client.post("/api/auth/signup", json=body).json()["data"]["api_key"]
                headers = {"Authorization": f"Bearer {key}"}
                assert client.get("/api/v1/authorize", headers=headers).status_code == 200
                assert client.get("/api/v1/nothing", headers=headers).status_code == 404

        for environment, address in ((at_socket, f"unix:{path}"), (at_ipv6, f"{shown}:{port}")):
            second = ForkedCommand(
                *_GUNICORN, environment={**environment, "WEB_CONCURRENCY": "1"}, cwd=PROJECT_ROOT
            )
            _, said = second.communicate(COMMAND_SECONDS)
            assert second.returncode == 1
            (line,) = (line for line in said.splitlines() if not line.startswith("{"))
            assert line.startswith(f"ragauth: {address} cannot be served: taken by another program")
            assert "Traceback" not in said


def _answers(family: int, address: object) -> bool:
    with socket.socket(family) as client:
        return client.connect_ex(address) == 0  # type: ignore[arg-type]
