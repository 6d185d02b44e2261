"""What the dashboard is made of: its calls are those of /openapi.json, its server is strict."""

import re
from typing import Any

import httpx
import pytest

from tests.dashboard.conftest import in_cookie_mode
from tests.dashboard.place import DASHBOARD, Place, Visitor
from tests.servers.gunicorn import NO_TLS


def resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


@in_cookie_mode
def test_every_call_stands_in_the_openapi_document(place: Place, visitor: Visitor) -> None:
    """Its path and method, every field of its body, every parameter, and whether it is public."""
    document = place.service.client.get("/openapi.json").json()
    operations = visitor.page.evaluate("import('/js/operations.js').then((m) => m.OPERATIONS)")
    assert len(operations) > 30
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
        assert operation.get("open", False) == (described.get("security", []) == []), name


def test_no_markup_is_ever_made_of_data() -> None:
    """The policy forbids it too; this finds it before a browser does."""
    sinks = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|srcdoc")
    scripts = list(DASHBOARD.rglob("*.js"))
    assert len(scripts) > 10
    assert [path.name for path in scripts if sinks.search(path.read_text("utf-8"))] == []


@in_cookie_mode
def test_its_server_sends_a_strict_policy(place: Place) -> None:
    answer = httpx.get(f"{place.origin}/keys", verify=NO_TLS)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert f"connect-src 'self' {place.api};" in policy
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert httpx.get(f"{place.origin}/config.json", verify=NO_TLS).json()["api"] == place.api


@in_cookie_mode
@pytest.mark.parametrize(
    "path", ["/serve.py", "/README.md", "/../quickstart.sh", "/..%2f..%2fsetup.cfg", "/js/none.js"]
)
def test_its_server_gives_out_nothing_else(place: Place, path: str) -> None:
    assert httpx.get(f"{place.origin}{path}", verify=NO_TLS).status_code == 404


@in_cookie_mode
@pytest.mark.parametrize("path", ["/%00", "/%2e%2e/%2e%2e/Makefile", "//etc/passwd"])
def test_any_other_path_is_the_dashboard(place: Place, path: str) -> None:
    answer = httpx.get(f"{place.origin}{path}", verify=NO_TLS)
    assert "<title>Dashboard</title>" in answer.text
