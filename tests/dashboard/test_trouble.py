"""What goes wrong, said kindly: sessions that ended, limits, faults of fields, an API away."""

import re

from playwright.sync_api import Page, Route, expect

from tests.dashboard.conftest import LOGIN_FAILURES, in_cookie_mode
from tests.dashboard.hands import click
from tests.dashboard.place import Visitor
from tests.e2e.service import PASSWORD

ENDED = "Your session has ended"


def end_all_sessions(visitor: Visitor) -> None:
    """As from another device."""
    visitor.place.call("DELETE", "/api/auth/sessions?all=true", token=visitor.api_token())


def alert(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("alert").filter(has_text=text).first).to_be_visible()


def begin_an_agent(visitor: Visitor, name: str) -> None:
    click(visitor.page.get_by_role("button", name="New agent").first)
    visitor.fill(visitor.dialog, name=name, description="Typed before")


def see_the_agent(visitor: Visitor, name: str) -> None:
    expect(visitor.dialog).to_have_count(0)
    agent = visitor.page.locator("[data-agent]", has_text=name)
    expect(agent).to_contain_text("Typed before")


class TestAnEndedSession:
    def test_leads_to_the_login_and_back_to_where_one_was(self, visitor: Visitor) -> None:
        """S14: it ended on another device; this browser learns of it with its next request."""
        visitor.sign_up()
        end_all_sessions(visitor)
        click(visitor.page.get_by_role("link", name="Agents"))
        expect(visitor.dialog).to_contain_text(ENDED)
        assert visitor.page.evaluate("localStorage.length") == 0
        visitor.fill(visitor.dialog, password=PASSWORD)
        visitor.press("Log in", visitor.dialog)
        visitor.see_heading("Agents")

    @in_cookie_mode
    def test_loses_nothing_that_was_typed(self, visitor: Visitor) -> None:
        """It goes on as soon as its owner has logged in over it."""
        visitor.sign_up("/agents")
        begin_an_agent(visitor, "First")
        end_all_sessions(visitor)
        visitor.press("Create agent", visitor.dialog)
        again = visitor.page.get_by_role("dialog", name=ENDED)
        expect(again).to_be_visible()
        visitor.page.keyboard.press("Escape")
        expect(visitor.page.locator("dialog [name=description]")).to_have_value("Typed before")
        visitor.fill(again, password="not this one")
        visitor.press("Log in", again)
        alert(visitor.page, "Invalid email or password")
        visitor.fill(again, password=PASSWORD)
        visitor.press("Log in", again)
        see_the_agent(visitor, "First")

    @in_cookie_mode
    def test_that_ran_out_while_nobody_looked_leads_to_the_login(self, visitor: Visitor) -> None:
        visitor.sign_up()
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

    visitor.note_requests()
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
    waiting = visitor.page.get_by_role("button", name=re.compile(r"Wait \d"))
    expect(waiting).to_be_disabled()
    # The wait is for this address; another may be tried at once.
    visitor.fill(login="another@example.com", password="the wrong words")
    visitor.press("Log in")
    alert(visitor.page, "Invalid email or password")
    visitor.fill(login=visitor.email)
    expect(waiting).to_be_disabled()


@in_cookie_mode
def test_a_full_plan_says_what_helps(visitor: Visitor) -> None:
    visitor.sign_up("/agents")
    for number in range(3):
        click(visitor.page.get_by_role("button", name="New agent").first)
        visitor.fill(visitor.dialog, name=f"Agent {number}")
        visitor.press("Create agent", visitor.dialog)
        if number < 2:
            expect(visitor.page.locator("[data-agent]")).to_have_count(number + 1)
    alert(visitor.page, "Your plan has room for 2 agents, and all are in use.")


@in_cookie_mode
def test_each_fault_stands_beside_its_field(visitor: Visitor) -> None:
    visitor.show("/signup")
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
    click(visitor.page.get_by_role("link", name="Agents"))
    visitor.see_heading("That did not load")
    visitor.page.unroute("**/api/agents*")
    visitor.press("Try again")
    visitor.see_heading("Agents")


@in_cookie_mode
def test_an_origin_that_is_not_listed_is_told_so(visitor: Visitor) -> None:
    """S18: the browser hides the answer, and the page says why, not that the API is away."""
    origin = visitor.place.origin.replace("127.0.0.1", "localhost")
    listed, visitor.page = visitor.page, visitor.open_tab()
    visitor.page.goto(f"{origin}/login")
    visitor.log_in()
    alert(visitor.page, f"This origin is not allowed: the API answers, but {origin} is not")
    alert(visitor.page, "RAGAUTH_CORS_ORIGINS")
    # And one that is listed hears of an API that is away.
    visitor.page = listed
    visitor.page.route(f"{visitor.place.api}/**", lambda route: route.abort())
    visitor.log_in()
    alert(visitor.page, "The server cannot be reached.")


@in_cookie_mode
def test_a_link_that_is_dead_leads_to_a_new_one(visitor: Visitor) -> None:
    page = visitor.page
    visitor.show("/reset-password#token=nonsense")
    visitor.fill(new_password="a heron on one leg")
    visitor.press("Set the password")
    visitor.see_heading("This link was used or is too old")
    visitor.press("Send me a new link")
    visitor.see_heading("Forgot your password?")

    visitor.show("/verify-email#token=nonsense")
    visitor.press("Confirm")
    visitor.see_heading("This link was used or is too old")
    visitor.press("Log in to get a new link")
    visitor.see_heading("Welcome back")

    visitor.sign_up()
    first = visitor.place.mail_to(visitor.email, "Confirm your email address")
    visitor.show("/verify-email#token=nonsense")
    visitor.press("Confirm")
    visitor.press("Send me a new link")
    visitor.see_notice("Sent. Look into the inbox")
    expect(page.get_by_text("Please confirm")).to_be_visible()
    visitor.show(f"/verify-email#token={first.token}")
    visitor.press("Confirm")
