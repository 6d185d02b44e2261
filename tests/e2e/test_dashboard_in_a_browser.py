"""Cookie mode and CORS as a browser sees them: a dashboard on an origin of its own (S17, S18)."""

import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import PASSWORD

CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")

# What a dashboard does for each call; None stands for what the browser keeps from the script.
_CALL = """
async ([url, method, headers, body]) => {
  try {
    const answer = await fetch(url, {
      method, headers, body, credentials: "include", mode: "cors",
    });
    return [answer.status, await answer.text(), answer.headers.get("X-Request-Id") !== null];
  } catch (error) {
    return null;
  }
}
"""
CSRF = {"X-Ragauth-CSRF": "1"}
JSON = {"Content-Type": "application/json"}


class _EmptyPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to tell."""


@contextmanager
def _static_server() -> Iterator[int]:
    """Serve empty pages; yields the port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def pages(new_installation: NewInstallation, browser: Browser) -> Iterator[tuple[Page, str, int]]:
    """A page, the service's URL, and the port of what serves the dashboard."""
    installation = new_installation("sqlite")
    installation.migrate()
    with (
        _static_server() as port,
        installation.serve(
            workers=1,
            RAGAUTH_REFRESH_COOKIE="true",
            RAGAUTH_CORS_ORIGINS=f"http://127.0.0.1:{port}",
        ) as service,
        browser.new_context() as context,
    ):
        yield context.new_page(), service.gunicorn.url, port


def test_the_dashboard_keeps_its_session_without_ever_seeing_the_refresh_token(
    pages: tuple[Page, str, int],
) -> None:
    """S17, S18: and a page of another site can neither use the session nor end it."""
    page, url, port = pages

    def call(path: str, headers: dict[str, str], body: str | None = None) -> Any:
        return page.evaluate(_CALL, [f"{url}/api/auth{path}", "POST", headers, body])

    page.goto(f"http://127.0.0.1:{port}/")
    signup = f'{{"email": "browser@example.com", "password": "{PASSWORD}"}}'
    status, text, sees_request_id = call("/signup", JSON, signup)
    assert (status, sees_request_id) == (201, True)
    assert "refresh_token" not in text
    assert page.evaluate("document.cookie") == ""
    assert call("/token/refresh", CSRF)[0] == 200
    # The header is missing: the call is sent, for it needs no preflight, and refused.
    assert call("/token/refresh", {})[0] == 403
    # What a failure says is readable too.
    assert call("/nowhere", CSRF)[0] == 404

    page.goto(f"http://localhost:{port}/")
    assert call("/token/refresh", CSRF) is None
    assert call("/logout", CSRF) is None
    assert call("/logout", {}) is None

    page.goto(f"http://127.0.0.1:{port}/")
    assert call("/token/refresh", CSRF)[0] == 200
    assert call("/logout", CSRF)[0] == 204
    assert call("/token/refresh", CSRF)[0] == 401
