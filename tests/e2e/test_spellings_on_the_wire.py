"""Paths as they were sent, through a real gunicorn, which decodes them for the application."""

import socket

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import Service

_TOKEN = "a-token-of-prometheus"
_OWN = ("/healthz", "/readyz", "/metrics")


def _status(service: Service, target: str, *headers: str) -> int:
    """Of a GET with the request target as it is."""
    host, port = service.address.split(":")
    lines = [f"GET {target} HTTP/1.1", f"Host: {service.address}", "Connection: close", *headers]
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        received = b""
        while part := connection.recv(65_536):
            received += part
    return int(received.split(b" ", 2)[1])


def test_probes_scrapes_and_checks(
    new_installation: NewInstallation, capfd: pytest.CaptureFixture[str]
) -> None:
    """S27: and the token of `/metrics` stands in no line of the log."""
    installation = new_installation("sqlite")
    bearer = f"Authorization: Bearer {_TOKEN}"
    with installation.serve(workers=1, RAGAUTH_METRICS_TOKEN=f" {_TOKEN}\n") as service:
        for path in _OWN:
            escaped = f"/%{ord(path[1]):02x}{path[2:]}"
            for odd in (
                f"/{path}",
                f"/%2f{path[1:]}",
                f"{path}/",
                f"{path}//",
                escaped,
                f"{path}#",
            ):
                assert _status(service, odd, bearer) == 404, odd
            assert _status(service, path[1:], bearer) in (400, 404)
            for own in (path, f"http://{service.address}{path}"):
                assert _status(service, own, bearer) == 200, own
        assert _status(service, "/metrics?x=%2f", bearer) == 200
        for refused in ((), ("Authorization: Bearer x",), ("Authorization: Bearer ",)):
            assert _status(service, "/metrics", *refused) == 401
        assert _status(service, "//metrics") == 404

        key = service.sign_up().api_key
        for odd in ("//api/auth/me", "///api/v1/authorize", "//docs", "/api/auth/me//"):
            assert _status(service, odd, f"X-API-Key: {key}") == 404, odd
        # Read by the server's own parser, by gunicorn's, and by none.
        for path in ("/api/v1/authorize", "/api/v1/authorize?%73cope=query", "/api/v1/me"):
            for empty in ("Authorization: Bearer", "Authorization: Bearer ", "Authorization:"):
                assert _status(service, path, f"X-API-Key: {key}", empty) == 200, (path, empty)
        assert _TOKEN not in service.gunicorn.log()
    assert _TOKEN not in capfd.readouterr().err
