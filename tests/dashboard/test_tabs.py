"""One session in several tabs: refreshed once, ended and begun in all of them."""

import re

from playwright.sync_api import Page, Route, expect

from tests.dashboard.conftest import in_cookie_mode
from tests.dashboard.hands import click
from tests.dashboard.place import Visitor

REFRESH = "/api/auth/token/refresh"

# Both tabs refuse the token that they share, at the same moment.
_REFRESH_AT = """
async (moment) => {
  const session = await import("/js/session.js");
  const shared = await session.accessToken();
  const due = new Promise((resolve) => setTimeout(resolve, moment - Date.now()));
  window.refreshed = due.then(() => session.refresh(shared));
}
"""
_WITHOUT_LOCKS = "if (navigator.locks) navigator.locks.request = async (name, act) => act();"
_WITH_LOCKS = "delete navigator.locks.request"


def refresh_at_once(first: Page, second: Page) -> tuple[str, str]:
    """The tokens that two tabs hold after both have refreshed the same one."""
    moment = first.evaluate("Date.now() + 400")
    for page in (first, second):
        page.evaluate(_REFRESH_AT, moment)
    tokens = [page.evaluate("window.refreshed") for page in (first, second)]
    return tokens[0], tokens[1]


def two_tabs(visitor: Visitor, script: str = "") -> tuple[Page, Page]:
    """Two that show an account; what a script says of the browser holds in both."""
    visitor.note_requests()
    visitor.sign_up()
    visitor.page.evaluate(f"() => {{ {script} }}")
    second = visitor.open_tab()
    second.add_init_script(script)
    visitor.go("/keys", second)
    visitor.see_heading("API keys", second)
    return visitor.page, second


def test_two_tabs_share_their_refresh_their_logout_and_their_login(visitor: Visitor) -> None:
    first, second = two_tabs(visitor)
    assert visitor.count(REFRESH) == 0  # the second tab asked the first
    tokens = refresh_at_once(first, second)
    assert tokens[0] == tokens[1]
    assert visitor.count(REFRESH) == 1
    for page in (first, second):
        click(page.get_by_role("link", name="Agents"))
        visitor.see_heading("Agents", page)

    click(first.get_by_role("button", name="Log out"))
    visitor.see_heading("Welcome back", first)
    visitor.see_heading("Welcome back", second)
    expect(second.get_by_text("You logged out in another tab.")).to_be_visible()
    expect(first.get_by_text("in another tab")).to_have_count(0)

    # And a login brings the other one back to where it was.
    visitor.log_in()
    visitor.see_heading("Usage", first)
    visitor.see_heading("Agents", second)
    assert visitor.complaints == []


@in_cookie_mode
def test_even_without_a_lock_both_tabs_go_on(visitor: Visitor) -> None:
    """S13: the API's grace gives both the same successor."""
    first, second = two_tabs(visitor, _WITHOUT_LOCKS)
    # Neither is answered, and tells the other, before that one has asked too.
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)
        if len(held) == 2:
            for each in held:
                each.continue_()

    visitor.context.route(f"**{REFRESH}", hold)
    try:
        refresh_at_once(first, second)
    finally:
        # The window is another visitor's next.
        visitor.context.unroute(f"**{REFRESH}", hold)
        first.evaluate(_WITH_LOCKS)
    assert visitor.count(REFRESH) == 2
    second.reload()
    for page in (first, second):
        click(page.get_by_role("link", name="Agents"))
        visitor.see_heading("Agents", page)
    assert visitor.complaints == []


@in_cookie_mode
def test_a_token_is_refreshed_before_it_expires(lone_visitor: Visitor) -> None:
    """An hour passes in the browser; nobody presses anything, and a notice goes by itself."""
    visitor = lone_visitor
    visitor.note_requests()
    visitor.page.clock.install()
    visitor.sign_up()
    visitor.page.evaluate("import('/js/notices.js').then((m) => m.notify('Soon gone'))")
    visitor.see_notice("Soon gone")
    visitor.page.clock.run_for("00:07")
    expect(visitor.page.locator(".notice")).to_have_count(0)
    visitor.page.clock.run_for("58:43")
    assert visitor.count(REFRESH) == 0
    with visitor.page.expect_response(re.compile(REFRESH)) as answer:
        visitor.page.clock.run_for("00:20")
    assert answer.value.status == 200
    assert visitor.complaints == []
