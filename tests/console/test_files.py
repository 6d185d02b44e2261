"""What the console is made of: its calls are the API's, and its server hands on nothing else."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.console.conftest import CONSOLE, SCOPES, Operated, serve_console
from tests.dashboard.place import DASHBOARD, Visitor
from tests.dashboard.test_files import resolve
from tests.servers.gunicorn import NO_TLS

INTERNAL = "/api/v1/internal"


@pytest.fixture
def client(place: Operated) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=place.origin, verify=NO_TLS) as client:
        yield client


def test_every_call_stands_in_the_openapi_document(
    place: Operated, visitor: Visitor, client: httpx.Client
) -> None:
    """Path, method, fields and parameters; and the scope that the route asks for."""
    document = place.service.client.get("/openapi.json").json()
    operations = visitor.page.evaluate("import('/js/operations.js').then((m) => m.OPERATIONS)")
    assert len(operations) > 20
    keys = {scope: place.key(scope) for scope in SCOPES}
    ids = {"account_id": "acc", "session_id": "ses", "key_id": "key", "webhook_id": "whk"}
    for name, operation in operations.items():
        described = document["paths"][operation["path"]][operation["method"].lower()]
        body = described.get("requestBody", {}).get("content", {}).get("application/json", {})
        fields = set(resolve(document, body.get("schema", {})).get("properties", {}))
        assert set(operation.get("body", [])) <= fields, name
        parameters = {
            parameter["name"]
            for parameter in described.get("parameters", [])
            if parameter["in"] == "query"
        }
        assert set(operation.get("query", [])) <= parameters, name
        path = operation["path"]
        for parameter, kind in {**ids, "delivery_id": "msg"}.items():
            path = path.replace(f"{{{parameter}}}", f"{kind}_01h455vb4pex5vsknk084sn02q")
        if "scope" in operation:
            for scope, key in keys.items():
                headers = {"Authorization": f"Bearer {key}"}
                answer = client.request(operation["method"], path, headers=headers)
                assert (answer.status_code != 403) == (scope == operation["scope"]), (name, scope)


def test_no_markup_is_ever_made_of_data() -> None:
    sinks = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|srcdoc")
    scripts = list(CONSOLE.rglob("*.js"))
    assert len(scripts) > 10
    assert [path.name for path in scripts if sinks.search(path.read_text("utf-8"))] == []


def test_no_key_is_ever_stored() -> None:
    stores = re.compile(r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\.")
    scripts = [*CONSOLE.rglob("*.js"), DASHBOARD / "js" / "wire.js"]
    assert [path.name for path in scripts if stores.search(path.read_text("utf-8"))] == []


def test_its_server_sends_a_strict_policy(place: Operated) -> None:
    for path in ("/", "/accounts/acc_01h455vb4pex5vsknk084sn02q", "/js/dom.js", "/js/app.js"):
        answer = httpx.get(f"{place.origin}{path}", verify=NO_TLS)
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "connect-src 'self' ;" in policy
        assert "require-trusted-types-for 'script'" in policy
    # The dashboard's parts, and the console's own file where both have one.
    for name, folder in (("dom.js", DASHBOARD), ("app.js", CONSOLE)):
        served = httpx.get(f"{place.origin}/js/{name}", verify=NO_TLS).text
        assert served == (folder / "js" / name).read_text()


@pytest.mark.parametrize(
    "path",
    [
        *("/serve.py", "/README.md", "/..%2f..%2fsetup.cfg", "/js/none.js", "/js/views/keys.js"),
        *("/../dashboard/serve.py", "/css/..%2fserve.py", "/%2e%2e/dashboard/js/app.js"),
        *(f"/{'a' * 300}.js", f"/js/{'a' * 300}.js", "/\0.js"),
    ],
)
def test_its_server_gives_out_nothing_else(place: Operated, path: str) -> None:
    assert ask_raw(place, f"GET {path} HTTP/1.1") == 404


@pytest.mark.parametrize(
    "target",
    [
        *("/api/auth/me", "/api/v1/keys/verify", "/api/v1/authorize", "/api/v1"),
        *(f"{INTERNAL}/../../auth/me", f"{INTERNAL}/%2e%2e/authorize", f"{INTERNAL}//accounts"),
        *(f"{INTERNAL}/accounts/ext:c-17", f"{INTERNAL}/accounts\\x", "/healthz/x.json"),
    ],
)
def test_its_server_hands_on_nothing_else(place: Operated, target: str) -> None:
    assert ask_raw(place, f"GET {target} HTTP/1.1") == 404
    assert ask_raw(place, f"POST {target} HTTP/1.1") == 404


def test_its_server_hands_on_no_other_header_and_no_endless_body(place: Operated) -> None:
    accounts = f"POST {INTERNAL}/accounts HTTP/1.1"
    assert ask_raw(place, accounts, f"X-API-Key: {place.key('accounts')}") == 401
    assert ask_raw(place, accounts, "Content-Length: 65537") == 413
    assert ask_raw(place, accounts, "Transfer-Encoding: chunked") == 413
    assert ask_raw(place, accounts, "Content-Length: -1") == 413
    assert ask_raw(place, accounts, f"Content-Length: {'9' * 5000}") == 413
    assert ask_raw(place, accounts, "Content-Length: 0", "Content-Length: 9") == 413


@pytest.mark.parametrize("path", ["/", "/metrics", f"{INTERNAL}/accounts"])
def test_a_page_of_another_name_gets_nothing(place: Operated, path: str) -> None:
    """A name that somebody else lets resolve to this address (DNS rebinding)."""
    assert ask_raw(place, f"GET {path} HTTP/1.1", host="evil.example.com") == 421
    assert ask_raw(place, f"DELETE {path} HTTP/1.1", host="evil.example.com") == 421
    assert ask_raw(place, f"GET {path} HTTP/1.1", "Host: evil.example.com") == 421
    assert ask_raw(place, f"GET http://[x{path} HTTP/1.1") == 421


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("POST /x HTTP/1.1", "evil.example.com"),
        ("GET / HTTP/1.1", "localhost"),
        ("PUT / HTTP/1.1", "localhost"),
    ],
)
def test_a_body_is_never_the_next_request(place: Operated, line: str, host: str) -> None:
    """A page of another name may send any body, so one with `Host: 127.0.0.1` in it."""
    inner = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    head = [line, f"Host: {host}", f"Content-Length: {len(inner)}"]
    with connect(place) as connection:
        connection.sendall(("\r\n".join(head) + "\r\n\r\n" + inner).encode())
        connection.shutdown(socket.SHUT_WR)
        answers = connection.makefile("rb").read()
    assert answers.count(b"HTTP/1.1 ") == 1


def test_an_api_that_is_away_is_named(tmp_path: Path, port_of_nobody: int) -> None:
    api = f"http://127.0.0.1:{port_of_nobody}"
    with serve_console(tmp_path, api) as origin:
        answer = httpx.get(f"{origin}/metrics", verify=NO_TLS)
        assert answer.status_code == 502
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.json()["error"]["message"] == f"{api} does not answer"


def ask_raw(place: Operated, line: str, *headers: str, host: str = "127.0.0.1") -> int:
    """The status of an answer to a request that no client would send so."""
    with connect(place) as connection:
        head = [line, f"Host: {host}", "Connection: close", *headers]
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        return int(connection.makefile("rb").readline().split()[1])


def connect(place: Operated) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(place.origin.rpartition(":")[2])), timeout=20)
