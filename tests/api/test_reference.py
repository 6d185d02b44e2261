"""GET /openapi.json, /docs and the page's files"""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from ragauth.version import VERSION
from tests.clients import Client, error, ok

# No word of it is stored.
_LINK = re.compile(r'(?:src|href)="([^"]+)"')


def _policy(text: str) -> dict[str, set[str]]:
    directives = (directive.split() for directive in text.split(";"))
    return {name: set(values) for name, *values in directives}


class TestDocument:
    def test_it_is_the_bare_document(self, client: Client) -> None:
        response = client.get("/openapi.json")
        assert (response.status_code, response.content_type) == (200, "application/json")
        assert response.get_json()["openapi"] == "3.1.0"
        assert client.get("/openapi.json/").data == response.data

    def test_a_reader_who_has_it_is_told_so(self, client: Client) -> None:
        response = client.get("/openapi.json")
        assert response.headers["Cache-Control"] == "public, max-age=300"
        again = client.get("/openapi.json", headers={"If-None-Match": response.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        changed = client.get("/openapi.json", headers={"If-None-Match": '"another"'})
        assert changed.status_code == 200

    def test_two_processes_publish_the_same_bytes(
        self, client: Client, make_app: Callable[..., Flask]
    ) -> None:
        assert Client(make_app()).get("/openapi.json").data == client.get("/openapi.json").data


class TestPage:
    def test_it_runs_nothing_but_its_own_scripts(self, client: Client) -> None:
        """S30: a strict CSP, without a way around it."""
        response = client.get("/docs")
        assert response.content_type == "text/html; charset=utf-8"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert _policy(response.headers["Content-Security-Policy"]) == {
            "default-src": {"'none'"},
            "script-src": {"'self'"},
            "style-src": {"'self'"},
            "img-src": {"'self'", "data:"},
            "connect-src": {"'self'"},
            "frame-ancestors": {"'none'"},
            "base-uri": {"'none'"},
            "form-action": {"'none'"},
        }
        assert (
            re.search(r"<script(?![^>]*\bsrc=)|<style|\bon[a-z]+=|\bstyle=", response.text) is None
        )

    def test_it_names_nothing_from_elsewhere(self, client: Client) -> None:
        """S30: each link leads to the service itself, and there is something there."""
        links = [link for link in _LINK.findall(client.get("/docs").text) if link[0] != "#"]
        assert len(links) >= 6
        for link in links:
            assert link.startswith("/")
            assert not link.startswith("//")
            assert client.get(link).status_code == 200

    def test_its_files_may_be_kept_for_good(self, client: Client) -> None:
        for link in _LINK.findall(client.get("/docs").text):
            if link.startswith("/docs/"):
                response = client.get(link)
                kept = {part.strip() for part in response.headers["Cache-Control"].split(",")}
                assert kept == {"public", "max-age=31536000", "immutable"}
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.mimetype in {"text/javascript", "text/css", "image/svg+xml"}
        assert "no-cache" in client.get("/docs").headers["Cache-Control"]

    def test_there_is_no_other_file(self, client: Client) -> None:
        script = next(
            link for link in _LINK.findall(client.get("/docs").text) if link.endswith("docs.js")
        )
        folder = script.rpartition("/")[0]
        for path in (
            f"{folder}/index.html",
            f"{folder}/..%2f..%2fapp.py",
            script.replace(folder, "/docs/0123456789abcdef"),
            "/docs/docs.js",
        ):
            error(client.get(path), 404, "NOT_FOUND")

    def test_below_a_prefix_every_link_has_it(self, make_app: Callable[..., Flask]) -> None:
        client = Client(make_app(compat=("rst",)))
        text = client.get("/docs", environ_overrides={"SCRIPT_NAME": "/auth"}).text
        links = [link for link in _LINK.findall(text) if link[0] != "#"]
        links += re.findall(r'<option value="([^"]+)"', text)
        assert [link for link in links if not link.startswith("/auth/")] == []
        assert '<body data-root="/auth">' in text

    def test_it_offers_the_other_faces_documents(self, make_app: Callable[..., Flask]) -> None:
        text = Client(make_app(compat=("ragchats", "rst"))).get("/docs").text
        assert re.findall(r'<option value="([^"]+)"', text) == [
            "/openapi.json",
            "/compat/ragchats/openapi.json",
            "/compat/rst/openapi.json",
        ]


@pytest.mark.parametrize("path", ["/", "/openapi.json", "/docs"])
class TestAll:
    def test_plain_http_is_refused_where_https_is_required(
        self, make_app: Callable[..., Flask], path: str
    ) -> None:
        client = Client(make_app(require_https=True))
        error(client.get(path), 403, "AUTHORIZATION_ERROR", "https_required")

    def test_they_are_only_read(self, client: Client, path: str) -> None:
        error(client.post(path, {}), 405, "VALIDATION_ERROR")


class TestRoot:
    def test_a_program_is_told_where_things_are(self, client: Client) -> None:
        for accept in (None, "*/*", "application/json", "text/plain", "text/html;q=0.5, */*"):
            response = client.get("/", headers={} if accept is None else {"Accept": accept})
            assert ok(response) == {
                "name": "ragauth",
                "version": VERSION,
                "docs": "/docs",
                "openapi": "/openapi.json",
                "health": "/healthz",
            }
            assert "Accept" in response.headers["Vary"]

    def test_a_browser_is_led_to_the_reference(self, client: Client) -> None:
        for accept in (
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            "text/html",
        ):
            response = client.get("/", headers={"Accept": accept})
            assert (response.status_code, response.data) == (302, b"")
            assert response.headers["Location"] == "/docs"
            assert "Accept" in response.headers["Vary"]

    def test_it_is_a_route_like_any_other(self, client: Client) -> None:
        assert client.request("HEAD", "/").status_code == 200
        error(client.post("/", {}), 405, "VALIDATION_ERROR")
