"""One session in several tabs: refreshed once, ended and begun in all of them."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.conftest import in_cookie_mode
from tests.dashboard.hands import click, fill
from tests.dashboard.place import Visitor
from tests.dashboard.test_trouble import ENDED, begin_an_agent, end_all_sessions, see_the_agent
from tests.e2e.service import PASSWORD

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
_WITHOUT_LOCKS = "() => { navigator.locks.request = async (name, act) => act(); }"
_WITH_LOCKS = "() => delete navigator.locks.request"


def refresh_at_once(first: Page, second: Page) -> tuple[str, str]:
    """The tokens that two tabs hold after both have refreshed the same one."""
    moment = first.evaluate("Date.now() + 400")
    for page in (first, second):
        page.evaluate(_REFRESH_AT, moment)
    tokens = [page.evaluate("window.refreshed") for page in (first, second)]
    return tokens[0], tokens[1]


def two_tabs(visitor: Visitor) -> tuple[Page, Page]:
    """Two that show an account."""
    visitor.note_requests()
    visitor.sign_up()
    second = visitor.open_tab()
    visitor.go("/keys", second)
    visitor.see_heading("API keys", second)
    assert visitor.count(REFRESH) == 0  # the second tab asked the first
    return visitor.page, second


@in_cookie_mode
def test_two_tabs_share_one_session(visitor: Visitor) -> None:
    tabs = two_tabs(visitor)
    _both_go_on_even_without_a_lock(visitor, *tabs)
    _they_share_their_refresh(visitor, *tabs)
    _they_share_their_logout_and_their_login(visitor, *tabs)
    assert visitor.complaints == []
    _a_login_in_one_loses_nothing_that_was_typed_in_the_other(visitor, *tabs)


@pytest.mark.parametrize("place", ["token"], indirect=True)
def test_two_tabs_share_it_where_they_keep_the_refresh_token(visitor: Visitor) -> None:
    tabs = two_tabs(visitor)
    _they_share_their_refresh(visitor, *tabs)
    _they_share_their_logout_and_their_login(visitor, *tabs)
    assert visitor.complaints == []


def _both_go_on_even_without_a_lock(visitor: Visitor, first: Page, second: Page) -> None:
    """S13: the API's grace gives both the same successor."""
    # Neither is answered, and tells the other, before that one has asked too.
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)
        if len(held) == 2:
            for each in held:
                each.continue_()

    visitor.context.route(f"**{REFRESH}", hold)
    for page in (first, second):
        page.evaluate(_WITHOUT_LOCKS)
    try:
        refresh_at_once(first, second)
    finally:
        # The window is another visitor's next.
        visitor.context.unroute(f"**{REFRESH}", hold)
        for page in (first, second):
            page.evaluate(_WITH_LOCKS)
    assert visitor.count(REFRESH) == 2
    for page in (first, second):
        click(page.get_by_role("link", name="Usage"))
        visitor.see_heading("Usage", page)


def _they_share_their_refresh(visitor: Visitor, first: Page, second: Page) -> None:
    before = visitor.count(REFRESH)
    tokens = refresh_at_once(first, second)
    assert tokens[0] == tokens[1]
    assert visitor.count(REFRESH) == before + 1
    for page in (first, second):
        click(page.get_by_role("link", name="Agents"))
        visitor.see_heading("Agents", page)


def _they_share_their_logout_and_their_login(visitor: Visitor, first: Page, second: Page) -> None:
    click(first.get_by_role("button", name="Log out"))
    visitor.see_heading("Welcome back", first)
    visitor.see_heading("Welcome back", second)
    expect(second.get_by_text("You logged out in another tab.")).to_be_visible()
    expect(first.get_by_text("in another tab")).to_have_count(0)

    # And a login brings the other one back to where it was.
    visitor.log_in()
    visitor.see_heading("Usage", first)
    visitor.see_heading("Agents", second)


def _a_login_in_one_loses_nothing_that_was_typed_in_the_other(
    visitor: Visitor, first: Page, second: Page
) -> None:
    click(first.get_by_role("link", name="Agents"))
    begin_an_agent(visitor, "Of a first tab")
    end_all_sessions(visitor)
    visitor.press("Create agent", visitor.dialog)
    for page in (first, second):
        expect(page.get_by_role("dialog", name=ENDED)).to_be_visible()
    fill(second.locator("[name=password]"), PASSWORD)
    click(second.get_by_role("dialog").get_by_role("button", name="Log in", exact=True))
    see_the_agent(visitor, "Of a first tab")


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
