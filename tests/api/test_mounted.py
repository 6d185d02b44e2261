"""Mounted below a prefix, by a proxy's X-Forwarded-Prefix or by the server's SCRIPT_NAME."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from ragauth.web.forwarded import Forwarded
from tests.clients import Client, ok

# No word of it is stored.
PREFIX = "/auth"
Get = Callable[..., TestResponse]


@pytest.fixture(params=["proxy", "server", "server behind a proxy that takes it off"])
def get(request: pytest.FixtureRequest, share_app: Callable[..., Flask]) -> Get:
    """Ask for a path as the outside knows it."""
    is_proxy = request.param == "proxy"
    app = share_app(trusted_proxies=int(is_proxy), compat=("rst",))
    if not is_proxy:
        assert isinstance(app.wsgi_app, Forwarded)
        app.wsgi_app = Forwarded(  # type: ignore[method-assign]
            app.wsgi_app.application, trusted_proxies=0, mounted_at=PREFIX
        )
    client = Client(app)

    def ask(path: str, **headers: str) -> TestResponse:
        assert path.startswith(PREFIX)
        if request.param != "server":
            path = path.removeprefix(PREFIX)
        if is_proxy:
            headers["X-Forwarded-Prefix"] = PREFIX
        # As gunicorn tells the target.
        return client.get(path, headers=headers, environ_overrides={"RAW_URI": path})

    return ask


def test_each_link_leads_below_the_prefix(get: Get) -> None:
    found = ok(get("/auth/"))
    assert {found["docs"], found["openapi"], found["health"]} == {
        *("/auth/docs", "/auth/openapi.json", "/auth/healthz"),
    }
    assert get("/auth/", Accept="text/html").headers["Location"] == "/auth/docs"
    links = re.findall(r'(?:src|href)="(/[^"]*)"', get("/auth/docs").text)
    assert len(links) >= 6
    for link in [*links, found["openapi"], found["health"]]:
        assert get(link).status_code == 200


def test_a_probe_has_no_prefix_and_is_answered(get: Get) -> None:
    for path in ("/auth/healthz", "/auth/readyz", "/auth/metrics"):
        assert get(path).status_code == 200


def test_the_gate_answers_below_it(get: Get) -> None:
    for path in ("/auth/api/v1/authorize", "/auth/api/v1/authorize/deep"):
        answer = get(path, **{"X-API-Key": "rag_live_wrong"})
        assert (answer.status_code, answer.get_json()["error"]["details"]) == (
            401,
            {"reason": "malformed"},
        )


def test_each_document_names_it_as_its_server(get: Get) -> None:
    for path in ("/auth/openapi.json", "/auth/compat/rst/openapi.json"):
        answer = get(path)
        (server,) = answer.get_json()["servers"]
        assert server["url"] == PREFIX
        assert get(path, **{"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_document_is_not_kept_for_another_prefix(make_app: Callable[..., Flask]) -> None:
    client = Client(make_app(trusted_proxies=1))
    told = [
        client.get("/openapi.json", headers={"X-Forwarded-Prefix": prefix}).get_json()["servers"]
        for prefix in ("/auth", "", "/other", "/auth")
    ]
    assert [server["url"] for (server,) in told] == ["/auth", "/", "/other", "/auth"]


def test_what_only_begins_alike_is_not_below_it(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    assert isinstance(app.wsgi_app, Forwarded)
    app.wsgi_app = Forwarded(  # type: ignore[method-assign]
        app.wsgi_app.application, trusted_proxies=0, mounted_at=PREFIX
    )
    client = Client(app)
    assert client.get("/auth").status_code == 200
    for path in ("/authors/healthz", "/authhealthz", "/auth/auth/healthz"):
        assert client.get(path).status_code == 404
