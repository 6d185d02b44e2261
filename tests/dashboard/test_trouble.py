"""What goes wrong, said kindly: sessions that ended, limits, faults of fields, an API away."""

import re

from playwright.sync_api import Page, Route, expect

from tests.dashboard.conftest import LOGIN_FAILURES, in_cookie_mode
from tests.dashboard.place import Visitor
from tests.e2e.service import PASSWORD

ENDED = "Your session has ended"


def end_all_sessions(visitor: Visitor) -> None:
    """As from another device."""
    body = {"email": visitor.email, "password": PASSWORD}
    token = visitor.place.call("POST", "/api/auth/login", json=body)["token"]
    visitor.place.call("DELETE", "/api/auth/sessions?all=true", token=token)


def alert(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("alert").filter(has_text=text).first).to_be_visible()


class TestAnEndedSession:
    def test_leads_to_the_login_and_back_to_where_one_was(self, visitor: Visitor) -> None:
        """S14: it ended on another device; this browser learns of it with its next request."""
        visitor.sign_up()
        end_all_sessions(visitor)
        visitor.page.get_by_role("link", name="Agents").click()
        expect(visitor.dialog).to_contain_text(ENDED)
        assert visitor.page.evaluate("localStorage.length") == 0
        visitor.fill(visitor.dialog, password=PASSWORD)
        visitor.press("Log in", visitor.dialog)
        visitor.see_heading("Agents")

    @in_cookie_mode
    def test_that_ran_out_while_nobody_looked_leads_to_the_login(self, visitor: Visitor) -> None:
        visitor.sign_up()
        visitor.page.goto("about:blank")
        visitor.context.clear_cookies()  # what a browser does when their time is over
        visitor.go("/keys")
        visitor.see_heading("Welcome back")
        expect(visitor.page.get_by_text(ENDED)).to_be_visible()
        visitor.log_in()
        visitor.see_heading("API keys")


@in_cookie_mode
def test_an_access_token_that_is_refused_is_replaced_unnoticed(visitor: Visitor) -> None:
    visitor.sign_up()

    def spoil(route: Route) -> None:
        route.continue_(headers={**route.request.headers, "authorization": "Bearer spoilt.a.b"})

    visitor.page.route("**/api/agents*", spoil, times=1)
    visitor.follow("Agents")
    expect(visitor.page.get_by_text("No agents yet")).to_be_visible()
    assert visitor.count("/api/auth/token/refresh") == 1


@in_cookie_mode
def test_too_many_logins_are_told_how_long_to_wait(visitor: Visitor) -> None:
    """S9"""
    visitor.sign_up()
    visitor.press("Log out")
    for _ in range(LOGIN_FAILURES):
        visitor.log_in("the wrong words")
        alert(visitor.page, "Invalid email or password")
    visitor.log_in()
    alert(visitor.page, re.compile(r"a little too often\. Please try again in \d+ (minutes|sec)"))
    expect(visitor.page.get_by_role("button", name=re.compile(r"Wait \d"))).to_be_disabled()


@in_cookie_mode
def test_a_full_plan_says_what_helps(visitor: Visitor) -> None:
    visitor.sign_up()
    visitor.follow("Agents")
    for number in range(3):
        visitor.page.get_by_role("button", name="New agent").first.click()
        visitor.fill(visitor.dialog, name=f"Agent {number}")
        visitor.press("Create agent", visitor.dialog)
        if number < 2:
            expect(visitor.page.locator("[data-agent]")).to_have_count(number + 1)
    alert(visitor.page, "Your plan has room for 2 agents, and all are in use.")


@in_cookie_mode
def test_each_fault_stands_beside_its_field(visitor: Visitor) -> None:
    visitor.go("/signup")
    visitor.fill(email="jane", password="short")
    visitor.press("Create account")
    email = visitor.page.get_by_label("E-mail")
    expect(email).to_have_accessible_description(re.compile("Not a valid email address"))
    expect(email).to_be_focused()
    password = visitor.page.get_by_label("Password")
    expect(password).to_have_accessible_description(re.compile("at least 8 characters"))
    visitor.fill(email=visitor.email, password=PASSWORD)
    visitor.press("Create account")
    visitor.see_heading("Your API key")
    visitor.stored_key()
    visitor.press("I have stored it. Go on")
    visitor.follow("Account")
    visitor.fill(new_email="new@example.com")
    visitor.page.locator("[name=password]").fill("not this one")
    visitor.press("Change address")
    expect(visitor.page.locator("[data-name=password] .fault")).to_have_text(
        "This is not your password."
    )


@in_cookie_mode
def test_an_api_that_is_away_can_be_asked_again(visitor: Visitor) -> None:
    visitor.sign_up()
    visitor.page.route("**/api/agents*", lambda route: route.abort())
    visitor.page.get_by_role("link", name="Agents").click()
    visitor.see_heading("That did not load")
    visitor.page.unroute("**/api/agents*")
    visitor.press("Try again")
    visitor.see_heading("Agents")
