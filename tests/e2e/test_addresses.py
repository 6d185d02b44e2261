"""S40 on a real server: what a client writes into X-Forwarded-For, and peers of every kind."""

import json
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.service import PASSWORD, QUICK, Service, install
from tests.servers.processes import free_port, has_ipv6

CLIENT = "203.0.113.7"
FAILURES = 3
EVERYWHERE = ["0.0.0.0/0", "::/0"]
# The lines of X-Forwarded-For as they arrive, and the address that they tell.
LINES: list[tuple[list[bytes], str | None]] = [
    ([], None),
    ([b""], None),
    ([b'"'], None),
    ([b"unknown"], None),
    ([b"203.0.113.7,"], None),
    ([b'203.0.113.7, "'], None),
    ([b"203.0.113.7", b'"'], None),
    ([b"203.0.113.7", b""], None),
    ([b"\xb2.0.113.7"], None),
    ([b"203.0.113.7"], CLIENT),
    ([b"203.0.113.7:5678"], CLIENT),
    ([b"[::ffff:203.0.113.7]:443"], CLIENT),
    ([b'", 203.0.113.7'], CLIENT),
    ([b'"', b"203.0.113.7"], CLIENT),
    ([b"198.51.100.1", b"", b"203.0.113.7"], CLIENT),
]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that trusts one proxy, which these tests play."""
    installation = install(
        tmp_path_factory.mktemp("proxied"),
        RAGAUTH_TRUSTED_PROXIES="1",
        RAGAUTH_LOGIN_FAILURES_PER_ADDRESS=str(FAILURES),
        **QUICK,
    )
    installation.migrate()
    with installation.serve(workers=1) as service:
        yield service


@pytest.fixture(scope="module")
def keys(proxied: Service) -> dict[str, str]:
    """One that the proxy's network may use, one for everyone, one for the client alone."""
    user = proxied.sign_up(plan="scale")
    lists = {"proxy": ["127.0.0.0/8", "::1"], "everyone": EVERYWHERE, "client": [CLIENT]}
    return {name: user.create_key(allowed_ips=ips)[1] for name, ips in lists.items()}


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """One that trusts none, on a Unix socket, whose path must be short, and an IPv6 socket.

    Where the machine has no IPv6, on an IPv4 socket.
    """
    installation = install(tmp_path_factory.mktemp("listening"), **QUICK)
    installation.migrate()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "socket")
        host = "[::ffff:127.0.0.1]" if has_ipv6() else "127.0.0.1"
        binds = f"--bind={host}:{port} --bind=unix:{path}"
        with installation.serve(workers=1, PORT=str(port), GUNICORN_CMD_ARGS=binds) as service:
            yield service, path


def exchange(peer: socket.socket, head: list[bytes], body: bytes = b"") -> tuple[int, Any]:
    """Send a request with these lines in its head; returns the status and the JSON body."""
    lines = [*head, b"Host: ragauth.test", b"Connection: close"]
    if body:
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    with peer:
        peer.sendall(b"\r\n".join([*lines, b"", body]))
        received = b"".join(iter(lambda: peer.recv(65_536), b""))
    answer_head, _, text = received.partition(b"\r\n\r\n")
    return int(answer_head.split(b" ")[1]), json.loads(text) if text else None


def ask(service: Service, head: str, lines: list[bytes], body: bytes = b"") -> tuple[int, Any]:
    """Ask the service as a proxy that hands on these lines of X-Forwarded-For."""
    host, port = service.address.split(":")
    forwarded = [b"X-Forwarded-For: " + value for value in lines]
    peer = socket.create_connection((host, int(port)), timeout=10)
    return exchange(peer, [head.encode(), *forwarded], body)


def addresses_in_the_log(service: Service, request_id: str) -> set[str | None]:
    return {line["ip"] for line in service.request_lines() if line["request_id"] == request_id}


@pytest.mark.parametrize(("lines", "address"), LINES)
def test_the_proxys_own_address_never_counts(
    proxied: Service, keys: dict[str, str], lines: list[bytes], address: str | None
) -> None:
    """S40 and S22: for a check in the polling thread, for one in the pool, and in the log."""
    allowed = {"proxy": False, "everyone": address is not None, "client": address == CLIENT}
    mark = uuid4().hex
    for path in ("/api/v1/authorize", "/api/v1/me"):
        for name, key in keys.items():
            head = f"GET {path} HTTP/1.1\r\nX-API-Key: {key}\r\nX-Request-Id: {mark}"
            status, body = ask(proxied, head, lines)
            assert status == (200 if allowed[name] else 403), (path, name)
            if not allowed[name]:
                assert body["error"]["details"]["reason"] == "ip_not_allowed"
    assert addresses_in_the_log(proxied, mark) == {address}


def test_wrong_logins_without_an_address_are_counted_as_one(proxied: Service) -> None:
    """S40: however each of them hides it."""
    limits = []
    for number, lines in enumerate(lines for lines, address in LINES if address is None):
        login = {"email": f"nobody{number}@example.com", "password": "a wrong password"}
        body = json.dumps(login).encode()
        status, answer = ask(proxied, "POST /api/auth/login HTTP/1.1", lines, body)
        limits.append(answer["error"]["details"].get("limit") if status == 429 else status)
    refused = ["login_failures_per_address"] * (len(limits) - FAILURES)
    assert limits == [401] * FAILURES + refused
    status, _ = ask(proxied, "POST /api/auth/login HTTP/1.1", [b"198.51.100.7"], body)
    assert status == 401


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_on_an_ipv6_socket_an_ipv4_client_has_its_ipv4_address(
    listening: tuple[Service, str],
) -> None:
    """S40: in the session, in the events, for a key's list, and in the log."""
    service, _ = listening
    user = service.sign_up()
    _, key = user.create_key(allowed_ips=["127.0.0.1"])
    for path in ("/api/v1/authorize", "/api/v1/me"):
        assert service.get(path, key, "by-ipv6") == 200
    for path in ("/api/auth/sessions", "/api/auth/events"):
        assert {row["ip"] for row in user.data("GET", path)} == {"127.0.0.1"}
    host, port = service.address.split(":")
    exchange(socket.create_connection((host, int(port)), timeout=10), [b"nonsense"])
    assert addresses_in_the_log(service, "by-ipv6") == {"127.0.0.1"}
    assert faults_in_the_log(service)[-1]["ip"] == "127.0.0.1"


def test_a_client_on_a_unix_socket_has_no_address(listening: tuple[Service, str]) -> None:
    """S40: no list of a key allows it, and nothing tells one."""
    service, path = listening
    _, key = service.sign_up().create_key(allowed_ips=EVERYWHERE)
    transport = httpx.HTTPTransport(uds=path)
    with httpx.Client(transport=transport, base_url="http://localhost", timeout=30) as local:
        headers = {"X-API-Key": key, "X-Forwarded-For": CLIENT, "X-Request-Id": "by-unix"}
        for route in ("/api/v1/authorize", "/api/v1/me"):
            answer = local.get(route, headers=headers)
            assert answer.json()["error"]["details"]["reason"] == "ip_not_allowed"
        body = {"email": "local@example.com", "password": PASSWORD}
        data = local.post("/api/auth/signup", json=body).json()["data"]
        bearer = {"Authorization": f"Bearer {data['token']}"}
        for route in ("/api/auth/sessions", "/api/auth/events"):
            rows = local.get(route, headers=bearer).json()["data"]
            assert {row["ip"] for row in rows} == {None}
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    exchange(peer, [b"nonsense"])
    assert addresses_in_the_log(service, "by-unix") == {None}
    assert faults_in_the_log(service)[-1]["ip"] is None


def faults_in_the_log(service: Service) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in service.gunicorn.log().splitlines()]
    return [line for line in lines if line["message"] == "not HTTP"]
