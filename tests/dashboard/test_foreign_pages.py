"""Cookie mode and CORS as a browser sees them: the dashboard's pages, and those of other sites."""

from typing import Any

from playwright.sync_api import Page

from tests.dashboard.conftest import in_cookie_mode
from tests.dashboard.place import Visitor
from tests.e2e.service import PASSWORD

# What a page does for each call; None stands for what the browser keeps from the script.
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


@in_cookie_mode
def test_the_dashboard_keeps_its_session_without_ever_seeing_the_refresh_token(
    visitor: Visitor,
) -> None:
    """S17, S18: and a page of another site can neither use the session nor end it."""
    origin, own, foreign = visitor.place.origin, visitor.page, visitor.open_tab()

    def call(page: Page, path: str, headers: dict[str, str], body: str | None = None) -> Any:
        url = f"{visitor.place.api}/api/auth{path}"
        return page.evaluate(_CALL, [url, "POST", headers, body])

    signup = f'{{"email": "{visitor.email}", "password": "{PASSWORD}"}}'
    status, text, sees_request_id = call(own, "/signup", JSON, signup)
    assert (status, sees_request_id) == (201, True)
    assert "refresh_token" not in text
    assert own.evaluate("document.cookie") == ""
    assert call(own, "/token/refresh", CSRF)[0] == 200
    # The header is missing: the call is sent, for it needs no preflight, and refused.
    assert call(own, "/token/refresh", {})[0] == 403
    # What a failure says is readable too.
    assert call(own, "/nowhere", CSRF)[0] == 404

    # Served with the same headers, which let it call the API: what stops it is CORS.
    foreign.goto(f"{origin.replace('127.0.0.1', 'localhost')}/config.json")
    assert call(foreign, "/token/refresh", CSRF) is None
    assert call(foreign, "/logout", CSRF) is None
    assert call(foreign, "/logout", {}) is None

    assert call(own, "/token/refresh", CSRF)[0] == 200
    assert call(own, "/logout", CSRF)[0] == 204
    assert call(own, "/token/refresh", CSRF)[0] == 401
