"""The whole walk of a customer through the dashboard, in cookie mode and in token mode."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, expect

from tests.dashboard.conftest import in_cookie_mode
from tests.dashboard.place import Visitor
from tests.e2e.service import PASSWORD
from tests.factories.second_factors import Authenticator

NEW_PASSWORD = "a heron on one leg"


def row(visitor: Visitor, name: str) -> Locator:
    """The row of a key, the newest of its name."""
    return visitor.page.locator("li.row", has_text=name).first


@in_cookie_mode
def test_the_whole_walk(visitor: Visitor) -> None:
    """S15, S17, S18, S19 and S20 as a customer sees them, from signing up to leaving."""
    visitor.has_mouse = True
    visitor.note_requests()
    first_key = visitor.sign_up_by_the_form()
    _the_refresh_token_is_where_it_belongs(visitor)
    _confirm_the_address(visitor)
    _see_usage(visitor, first_key)
    _make_an_agent(visitor)
    _create_rotate_and_revoke_a_key(visitor)
    # The mouse has been on each kind of thing by now.
    visitor.has_mouse = False
    _regenerate_the_primary_key(visitor, first_key)
    events = ("Session ended", "API key revoked", "API key rotated", "Account created")
    _see_and_end_sessions(visitor, *events)
    _change_the_profile(visitor)
    _change_the_password(visitor)
    authenticator = _turn_on_the_second_factor(visitor)
    _log_in_with_a_recovery_code(visitor, authenticator)
    _log_in_with_the_authenticator(visitor, authenticator)
    _delete_the_account(visitor)
    _nothing_went_elsewhere(visitor)


@pytest.mark.parametrize("place", ["token"], indirect=True)
def test_what_makes_and_ends_a_session_where_the_page_keeps_the_refresh_token(
    visitor: Visitor,
) -> None:
    """S15, S19 and S20; what else is in the walk above knows no refresh token."""
    visitor.note_requests()
    visitor.sign_up()
    _the_refresh_token_is_where_it_belongs(visitor)
    # The page is loaded anew, and goes on without logging in.
    visitor.go("/")
    visitor.see_heading("Usage")
    _see_and_end_sessions(visitor, "Session ended", "Account created")
    _change_the_password(visitor)
    authenticator = _turn_on_the_second_factor(visitor)
    _log_in_with_a_recovery_code(visitor, authenticator)
    _delete_the_account(visitor)
    _nothing_went_elsewhere(visitor)


def _nothing_went_elsewhere(visitor: Visitor) -> None:
    assert visitor.complaints == []
    own = {urlsplit(visitor.place.origin).netloc, urlsplit(visitor.place.api).netloc}
    assert {urlsplit(url).netloc for url in visitor.requests if url.startswith("http")} == own


def _the_refresh_token_is_where_it_belongs(visitor: Visitor) -> None:
    stored = visitor.page.evaluate("localStorage.getItem('ragauth.session')")
    assert ("refresh_token" in stored) == (visitor.place.mode == "token")
    cookies = {cookie["name"]: cookie for cookie in visitor.context.cookies()}
    assert set(cookies) == ({"__Host-ragauth_refresh"} if visitor.place.mode == "cookie" else set())
    assert visitor.page.evaluate("document.cookie") == ""


def _confirm_the_address(visitor: Visitor) -> None:
    expect(visitor.page.get_by_text("Please confirm")).to_be_visible()
    mail = visitor.place.mail_to(visitor.email, "Confirm your email address")
    assert f"{visitor.place.origin}/verify-email#token=" in mail.text
    # The page is loaded anew, and goes on without logging in.
    visitor.go(f"/verify-email#token={mail.token}")
    visitor.see_heading("Confirm your address")
    assert mail.token not in visitor.page.url
    visitor.press("Confirm")
    visitor.see_heading("Thank you")
    visitor.press("Go on")
    visitor.see_heading("Usage")
    expect(visitor.page.get_by_text("Please confirm")).to_have_count(0)


def _see_usage(visitor: Visitor, key: str) -> None:
    expect(visitor.page.get_by_text("No requests yet")).to_be_visible()
    for cost in (100, 20, 3):
        assert visitor.place.authorize(key, cost=cost) == 200
    visitor.press("Look again")
    meter = visitor.page.get_by_role("meter", name="Monthly quota")
    expect(meter).to_have_attribute("aria-valuenow", "123")
    expect(meter).to_have_attribute("aria-valuemax", "1000")
    chart = visitor.page.get_by_role("img", name=re.compile("123 units in all"))
    expect(chart.locator(".day rect[class^=tone]")).to_have_count(1)
    # With the keyboard alone.
    chart.focus()
    chart.press("ArrowLeft")
    expect(visitor.page.locator(".tip")).to_contain_text("Total")
    expect(visitor.page.get_by_role("row", name=re.compile("Primary.*3.*123"))).to_be_visible()
    visitor.press("Test")
    expect(visitor.page.get_by_text("No requests yet")).to_be_visible()


def _make_an_agent(visitor: Visitor) -> None:
    visitor.follow("Agents")
    visitor.page.get_by_role("button", name="New agent").first.click()
    visitor.fill(visitor.dialog, name="Support bot", description="Answers <b>questions</b>")
    visitor.press("Create agent", visitor.dialog)
    tile = visitor.page.locator("[data-agent]")
    expect(tile).to_contain_text("Answers <b>questions</b>")
    tile.get_by_role("link", name="0 keys").click()
    visitor.see_heading("API keys")


def _create_rotate_and_revoke_a_key(visitor: Visitor) -> None:
    place, page = visitor.place, visitor.page
    page.get_by_role("button", name="New key").first.click()
    visitor.fill(visitor.dialog, name="Nightly", agent_id="Support bot", expires_at="In 30 days")
    visitor.dialog.get_by_label("Manage").uncheck()
    visitor.dialog.get_by_label("Ingest").uncheck()
    visitor.press("Create key", visitor.dialog)
    key = visitor.stored_key()
    # What is shown once is not thrown away by a slip of the finger.
    for _ in range(2):
        page.keyboard.press("Escape")
    visitor.press("I have stored it", visitor.dialog)
    expect(row(visitor, "Nightly")).to_contain_text("Support bot")
    expect(row(visitor, "Nightly")).to_contain_text("query")
    expect(row(visitor, "Nightly")).to_contain_text("expires in")
    assert place.authorize(key, scope="query") == 200
    assert place.authorize(key, scope="ingest") == 403

    visitor.press("Rotate key Nightly", row(visitor, "Nightly"))
    visitor.fill(visitor.dialog, grace_seconds="Works for another hour")
    visitor.press("Rotate", visitor.dialog)
    next_key = visitor.stored_key()
    visitor.press("I have stored it", visitor.dialog)
    replaced = page.locator("li.row", has_text="Replaced")
    expect(replaced).to_contain_text(re.compile(r"stops in (1 hour|5\d minutes)"))
    assert place.authorize(key) == place.authorize(next_key) == 200

    # Two have this name now: the beginning of the key tells them apart.
    revoke = row(visitor, "Nightly").get_by_role("button", name="Revoke key Nightly, rag_live_")
    revoke.click()
    expect(visitor.dialog).to_contain_text("Revoke “Nightly”?")
    visitor.press("Cancel", visitor.dialog)
    assert place.authorize(next_key) == 200
    revoke.click()
    visitor.press("Revoke the key", visitor.dialog)
    visitor.see_notice("“Nightly” is revoked.")
    assert place.authorize(next_key) == 401


def _regenerate_the_primary_key(visitor: Visitor, old_key: str) -> None:
    visitor.page.get_by_role("link", name="Show all").click()
    visitor.press("Regenerate key Primary")
    visitor.press("Regenerate", visitor.dialog)
    key = visitor.stored_key()
    visitor.press("I have stored it", visitor.dialog)
    assert visitor.place.authorize(old_key) == 401
    assert visitor.place.authorize(key) == 200


def _see_and_end_sessions(visitor: Visitor, *events: str) -> None:
    body = {"email": visitor.email, "password": PASSWORD}
    visitor.place.call("POST", "/api/auth/login", json=body)
    visitor.follow("Security")
    sessions = visitor.page.locator("[data-session]")
    expect(sessions).to_have_count(2)
    expect(sessions.first).to_contain_text("This browser")
    sessions.nth(1).get_by_role("button", name="End session").click()
    expect(sessions).to_have_count(1)
    history = visitor.page.locator(".timeline")
    for event in events:
        expect(history).to_contain_text(event)


def _change_the_profile(visitor: Visitor) -> None:
    visitor.follow("Account")
    visitor.fill(name="Jane Developer")
    visitor.press("Save")
    visitor.see_notice("Your profile is saved.")
    expect(visitor.page.locator(".who")).to_contain_text("Jane Developer")
    visitor.follow("Security")


def _change_the_password(visitor: Visitor) -> None:
    visitor.fill(current_password=PASSWORD, new_password=NEW_PASSWORD)
    visitor.press("Change password")
    visitor.see_notice("Your password is changed.")


def _turn_on_the_second_factor(visitor: Visitor) -> Authenticator:
    visitor.press("Turn on")
    visitor.fill(visitor.dialog, password=NEW_PASSWORD)
    visitor.press("Continue", visitor.dialog)
    picture = visitor.dialog.get_by_role("img", name="QR code for your authenticator app")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    authenticator = Authenticator(visitor.dialog.locator(".copy-field code").inner_text(), [])
    visitor.fill(visitor.dialog, code=authenticator.code(-1))
    visitor.dialog.locator("[name=code]").press("Enter")
    expect(visitor.dialog.locator(".codes li")).to_have_count(10)
    # A second Enter, and one more, does not make them vanish.
    for _ in range(2):
        visitor.page.keyboard.press("Enter")
    expect(visitor.dialog.get_by_role("button", name="I have stored them")).to_be_disabled()
    codes = visitor.dialog.locator(".codes li").all_inner_texts()
    visitor.dialog.get_by_label("I have put them in a safe place").check()
    visitor.press("I have stored them", visitor.dialog)
    expect(visitor.page.get_by_text("10 recovery codes left")).to_be_visible()
    return Authenticator(authenticator.secret, codes)


def _log_in_with_a_recovery_code(visitor: Visitor, authenticator: Authenticator) -> None:
    visitor.press("Log out")
    visitor.see_heading("Welcome back")
    assert visitor.page.evaluate("localStorage.length") == 0
    assert visitor.context.cookies() == []
    visitor.log_in(NEW_PASSWORD)
    visitor.see_heading("One more step")
    visitor.fill(code=authenticator.recovery_codes[0])
    visitor.press("Verify")
    visitor.see_heading("Usage")


def _log_in_with_the_authenticator(visitor: Visitor, authenticator: Authenticator) -> None:
    visitor.press("Log out")
    visitor.log_in(NEW_PASSWORD)
    visitor.fill(code=authenticator.code())
    visitor.press("Verify")
    visitor.see_heading("Usage")


def _delete_the_account(visitor: Visitor) -> None:
    visitor.follow("Security")
    expect(visitor.page.get_by_text("9 recovery codes left")).to_be_visible()
    visitor.follow("Account")
    visitor.dismiss_notices()
    visitor.press("Delete…")
    visitor.fill(visitor.dialog, password=NEW_PASSWORD)
    visitor.press("Delete my account", visitor.dialog)
    visitor.see_heading("Welcome back")
    expect(visitor.page.get_by_text("Your account is deleted.")).to_be_visible()


@in_cookie_mode
def test_a_forgotten_password_is_set_anew_with_the_link_of_the_mail(visitor: Visitor) -> None:
    visitor.sign_up()
    visitor.press("Log out")
    visitor.page.get_by_role("link", name="Forgot your password?").click()
    visitor.fill(email=visitor.email)
    visitor.press("Send the link")
    visitor.see_heading("Look into your inbox")
    mail = visitor.place.mail_to(visitor.email, "Set a new password")
    visitor.go(f"/reset-password#token={mail.token}")
    visitor.fill(new_password=NEW_PASSWORD)
    assert mail.token not in visitor.page.url
    visitor.press("Set the password")
    expect(visitor.page.get_by_text("Your new password is set.")).to_be_visible()
    visitor.log_in(NEW_PASSWORD)
    visitor.see_heading("Usage")
    assert visitor.complaints == []
