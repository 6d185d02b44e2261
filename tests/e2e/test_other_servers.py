"""The contract's main lines under each server that can run the service, not only under its own.

The client plays the one proxy that the service trusts.
"""

import http.client
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from ragauth.security.identifiers import decode_id
from tests.e2e.raw_connections import errors_in_log
from tests.e2e.service import PASSWORD, QUICK, Installation, Service, User, install
from tests.servers.gunicorn import NO_TLS, PROJECT_ROOT, start_gunicorn
from tests.servers.others import COMMANDS, start_other
from tests.waiting import wait_until

CLIENT = "203.0.113.7"
PROXY = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}
WITHOUT_THE_FOLDER = "gunicorn without ragauth/server"
# What SIGTERM ends with. Python's servers leave it to Python, which ends at once.
ENDS = {
    "ragauth": 0,
    "gunicorn": 0,
    WITHOUT_THE_FOLDER: 0,
    "flask run": -15,
    "waitress": -15,
    "granian": 0,
}
# Servers whose WSGI environment has the decoded path alone.
TELLS_NO_TARGET = {"granian"}
JSON = {"Content-Type": "application/json"}


@dataclass
class Place:
    """The service under one server, and somebody with a key for the client's address alone."""

    server: str
    service: Service
    user: User
    key: str

    @property
    def client(self) -> httpx.Client:
        return self.service.client


def test_the_service_answers_rightly_under_each_server(tmp_path: Path) -> None:
    """S20, S22, S29, S33, S40: whatever the server is, and however it makes its processes."""
    migrated = tmp_path / "migrated"
    served(migrated).migrate()
    with ExitStack() as running:
        places = []
        for number, server in enumerate(ENDS):
            folder = tmp_path / str(number)
            shutil.copytree(migrated, folder)
            places.append(running.enter_context(serve(server, folder)))
        # What is done in its own time: it is seen below, when the rest was.
        key_ids = [use_a_key(place) for place in places]
        for place in places:
            with named(place):
                an_account_and_its_keys(place)
                methods_and_paths(place)
                an_external_id_is_one_segment(place)
                bodies(place)
                a_connection_is_kept_and_no_body_is_taken_for_a_request(place)
                the_address_is_what_the_proxy_tells_in_whatever_lines(place)
                scheme_and_path_are_what_the_proxy_tells(place)
        for place, key_id in zip(places, key_ids, strict=True):
            with named(place):
                usage_is_saved_and_mail_is_sent_beside_the_requests(place, key_id)
                assert errors_in_log(place.service) == []
                assert place.service.gunicorn.terminate() == ENDS[place.server]


@contextmanager
def named(place: Place) -> Iterator[None]:
    """Let what fails say under which server it did."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"while {place.server} served")
        raise


def served(folder: Path) -> Installation:
    settings = {"RAGAUTH_TRUSTED_PROXIES": "1", "RAGAUTH_REQUIRE_HTTPS": "true"}
    return install(folder, **settings, **QUICK)


@contextmanager
def serve(server: str, folder: Path) -> Iterator[Place]:
    """Yield the service under a server."""
    installation = served(folder)
    environment, program = dict(installation.environment), PROJECT_ROOT
    if server == WITHOUT_THE_FOLDER:
        program = folder
        copy_without_server(folder)
    elif server == "gunicorn":
        environment["RAGAUTH_SERVER"] = server
    start = (
        start_other(server, environment)
        if server in COMMANDS
        else start_gunicorn(environment, cwd=program)
    )
    with start as running, installation.client_of(running) as service:
        service.client.headers.update(PROXY)
        user = service.sign_up()
        yield Place(server, service, user, user.create_key(allowed_ips=[CLIENT])[1])


def copy_without_server(folder: Path) -> None:
    """The program as it is when `ragauth/server` was taken out of it."""
    shutil.copytree(PROJECT_ROOT / "ragauth", folder / "ragauth")
    shutil.copy2(PROJECT_ROOT / "wsgi.py", folder)
    shutil.rmtree(folder / "ragauth" / "server")
    # As git leaves it, where compiled files were in it.
    (folder / "ragauth" / "server" / "__pycache__").mkdir(parents=True)


def an_account_and_its_keys(place: Place) -> None:
    """A key is dead from the answer on that revoked it."""
    assert place.client.get("/readyz").json()["data"]["status"] == "ok"
    login = {"email": place.user.email, "password": PASSWORD}
    token = place.service.insist("/api/auth/login", login).json()["data"]["token"]
    key_id, key = place.user.create_key()
    presented = {"X-API-Key": key}
    checks = [place.client.get("/api/v1/authorize", headers=presented) for _ in range(3)]
    assert [check.status_code for check in checks] == [200] * 3
    assert {check.headers["X-Ragauth-Account-Id"] for check in checks} == {place.user.account_id}
    assert place.client.get("/api/v1/me", headers=presented).status_code == 200
    path = f"/api/auth/api-keys/{key_id}"
    assert place.user.request("DELETE", path, token=token).status_code == 204
    for _ in range(4):
        refused = place.client.get("/api/v1/authorize", headers=presented)
        assert refused.json()["error"]["details"]["reason"] == "revoked"


def methods_and_paths(place: Place) -> None:
    for method, path, status in (
        *(("HEAD", "/healthz", 200), ("HEAD", "/api/v1/authorize", 200)),
        *(("PROPFIND", "/api/v1/authorize/x?scope=query", 200), ("PROPFIND", "/api/auth/me", 405)),
        *(("DELETE", "/api/auth/login", 405), ("TRACE", "/healthz", 405)),
        *(("GET", "/nothing", 404), ("GET", "/api/v1/nothing", 404), ("GET", "/healthz/", 404)),
        *(("GET", "/api/v1/me/", 200), ("GET", "/api/v1/m%65", 200)),
    ):
        answer = place.client.request(method, path, headers={"X-API-Key": place.key})
        assert answer.status_code == status, (method, path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert len(answer.headers["X-Request-Id"]) == 32
        assert ("OPTIONS" in answer.headers.get("Allow", "")) == (status == 405)
        if method == "HEAD":
            assert "Content-Length" in answer.headers
            assert answer.content == b""
        elif status != 200:
            code = "VALIDATION_ERROR" if status == 405 else "NOT_FOUND"
            assert answer.json()["error"]["code"] == code


def an_external_id_is_one_segment(place: Place) -> None:
    """Its slashes too, under a server that passes the target on."""
    scopes = ("--scope", "accounts", "--scope", "keys")
    command = place.service.installation.command
    made = command("service-keys", "create", "--name", "s", *scopes, "--json")
    headers = {**PROXY, "X-API-Key": json.loads(made)["api_key"]}
    accounts = "/api/v1/internal/accounts"
    names = [
        "a b?c",
        "100%",
        "a%2Fb",
        "Zo\u00eb",
        "ada@example.com",
        "ext:",
        "a/b",
        "a/",
        "/api-keys",
    ]
    for name in names:
        body = {"external_id": name}
        answer = place.client.post(accounts, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        connection = http.client.HTTPConnection(place.service.address, timeout=20)
        # Not by httpx, which spells paths its own way.
        path = f"{accounts}/ext:{quote(name, safe='')}"
        for below, status in (("", 200), ("/", 200), ("/api-keys", 200), ("//", 404)):
            connection.request("GET", path + below, headers=headers)
            found = connection.getresponse()
            text = found.read().decode()
            is_told = place.server not in TELLS_NO_TARGET or "/" not in name
            assert found.status == (status if is_told else 404), (name, below, text)
            if is_told and below in ("", "/"):
                assert json.loads(text)["data"]["external_id"] == name
        connection.close()
    connection = http.client.HTTPConnection(place.service.address, timeout=20)
    for text in ("%ff", "%C3", "%ED%A0%80", "%00"):
        connection.request("GET", f"{accounts}/ext:{text}", headers=headers)
        answered = connection.getresponse()
        assert (answered.status, b"NOT_FOUND" in answered.read()) == (404, True), text
    connection.close()


def bodies(place: Place) -> None:
    """Too large, of another kind, cut off, in chunks, and for a route that reads none."""
    revoke = b'{"key": "none of ours"}'
    post = place.client.post
    answers = [
        post("/api/auth/login", content=b" " * 65_537, headers=JSON),
        post("/api/auth/login", content=b" " * 1_000_000, headers=JSON),
        post("/api/auth/login", content=b"email=x"),
        post("/api/auth/login", content=revoke[:-1], headers=JSON),
        post("/api/v1/keys/revoke", content=iter([revoke[:9], revoke[9:]]), headers=JSON),
        post("/api/v1/authorize", content=b" " * 100_000, headers={"X-API-Key": place.key}),
    ]
    assert [answer.status_code for answer in answers] == [413, 413, 415, 400, 204, 200]
    for answer in answers[:4]:
        assert answer.json()["error"]["code"] == "VALIDATION_ERROR"


def a_connection_is_kept_and_no_body_is_taken_for_a_request(place: Place) -> None:
    connection = http.client.HTTPConnection(place.service.address, timeout=20)
    sockets = []

    def ask(method: str, path: str, key: str, body: bytes | None = None) -> int:
        connection.request(method, path, body, {**PROXY, "X-API-Key": key})
        sockets.append(connection.sock)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    check = "/api/v1/authorize"
    questions = [("GET", check, place.key), ("GET", check, "rag_live_wrong")]
    questions += [("HEAD", "/healthz", "-"), ("GET", "/api/v1/me", place.key)]
    assert [ask(*question) for question in questions] == [200, 401, 200, 200]
    # Flask's server for development closes each.
    assert len(set(sockets)) == (len(questions) if place.server == "flask run" else 1)
    body = b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
    unread = [("POST", path, place.key, body) for path in (check, "/api/auth/signup", "/healthz")]
    for question, status in zip(unread, (200, 415, 405), strict=True):
        assert ask(*question) == status
        try:
            assert ask("GET", check, place.key) == 200
        except ConnectionError:
            # A server may close after a body that was not read; what follows asks anew.
            connection.close()
            assert ask("GET", check, place.key) == 200
    connection.close()


def the_address_is_what_the_proxy_tells_in_whatever_lines(place: Place) -> None:
    with httpx.Client(base_url=place.client.base_url, verify=NO_TLS) as client:
        for addresses, status in (
            ([CLIENT], 200),
            (["198.51.100.1", CLIENT], 200),
            ([f"198.51.100.1, {CLIENT}"], 200),
            ([CLIENT, "198.51.100.1"], 403),
            (['"'], 403),
            ([], 403),
        ):
            forwarded = [("X-Forwarded-For", address) for address in addresses]
            lines = [("X-Forwarded-Proto", "https"), ("X-API-Key", place.key), *forwarded]
            for path in ("/api/v1/authorize", "/api/v1/me"):
                answer = client.get(path, headers=lines)
                assert answer.status_code == status, (path, addresses)
                if status == 403:
                    assert answer.json()["error"]["details"]["reason"] == "ip_not_allowed"
    rows = [place.user.data("GET", f"/api/auth/{name}")[-1] for name in ("sessions", "events")]
    assert [row["ip"] for row in rows] == [CLIENT] * 2


def scheme_and_path_are_what_the_proxy_tells(place: Place) -> None:
    plain = place.client.get("/api/auth/me", headers={"X-Forwarded-Proto": "http"})
    assert plain.json()["error"]["details"]["reason"] == "https_required"
    below = place.client.get("/openapi.json", headers={"X-Forwarded-Prefix": "/auth"}).json()
    assert [server["url"] for server in below["servers"]] == ["/auth"]


def use_a_key(place: Place) -> str:
    """Use a new key once; returns its id."""
    key_id, key = place.user.create_key()
    assert place.client.get("/api/v1/authorize", headers={"X-API-Key": key}).status_code == 200
    return key_id


def usage_is_saved_and_mail_is_sent_beside_the_requests(place: Place, key_id: str) -> None:
    instance = Path(place.service.installation.environment["RAGAUTH_INSTANCE_DIR"])
    to = f"To: {place.user.email}"
    wait_until(lambda: any(to in mail.read_text() for mail in instance.glob("outbox/*.eml")))
    key = decode_id("key", key_id)
    wait_until(lambda: saved_requests(instance / "ragauth.db", key) == 1, every_seconds=0.2)


def saved_requests(database: Path, key: Any) -> int:
    """Of a key, in the database itself."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT key_id, requests FROM usage").fetchall()
    return sum(requests for key_id, requests in rows if UUID(key_id) == key)
