"""What an operator does in a hurry: pastes too much, types blindly, acts while another acts."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.console.conftest import SCOPES, Operated, open_console
from tests.console.test_console import find
from tests.dashboard.hands import click, fill
from tests.dashboard.place import Visitor

HOURS = 8 * 3_600_000


@pytest.fixture(scope="module")
def bob(place: Operated) -> dict[str, Any]:
    return place.sign_up("bob@example.com")


def test_a_pasted_key_goes_nowhere(operator: Visitor, bob: dict[str, Any]) -> None:
    operator.note_requests()
    find(operator, "")
    search = operator.page.get_by_role("searchbox")
    own = bob["api_key"]
    # The third one was cut short; an operator chose how the last ones begin.
    pasted = [(text, own) for text in (f"Bearer {own}", f'KEY="{own}"', own[:-20])]
    pasted += [(key, key) for key in (f"acme_k1_{own[9:]}", f"rst_{own[9:]}")]
    for text, key in pasted:
        fill(search, text)
        with operator.page.expect_response(re.compile(quote(key[:-32]))):
            operator.press("Find")
        expect(operator.page.locator("[data-key], .empty").first).to_be_visible()
        assert search.input_value() == key[:-32]
    assert not [url for url in operator.requests if bob["api_key"][13:20] in url]


def test_an_external_id_may_look_like_a_key(place: Operated, operator: Visitor) -> None:
    body = {"external_id": "org_test_4242"}
    account = place.ask("POST", "/accounts", place.key("accounts"), json=body)
    find(operator, "org_test_4242")
    expect(operator.page.locator(f"[data-account={account['id']}]")).to_be_visible()


def test_a_limit_that_another_operator_set_stays(
    place: Operated, operator: Visitor, bob: dict[str, Any]
) -> None:
    service = place.key("accounts")
    path = f"/accounts/{bob['account']['id']}"
    find(operator, "bob@example.com")
    click(operator.page.locator("[data-account] a").first)
    operator.see_heading("bob@example.com")
    theirs = {"meter": "tokens", "window": "day", "size": 7}
    place.ask("PATCH", path, service, json={"limits": [theirs]})
    operator.press("Set a limit")
    operator.fill(operator.dialog, window="hour", size="5")
    operator.press("Set it", operator.dialog)
    expect(operator.page.get_by_text("7 tokens a day").first).to_be_visible()
    # The button that opened the dialog is another one by now.
    expect(operator.page.get_by_role("button", name="Set a limit")).to_be_focused()
    limits = place.ask("GET", path, service)["limits"]
    assert limits == [theirs, {"meter": "requests", "window": "hour", "size": 5}]
    operator.press("Reset to the plan's: 5 requests an hour")
    expect(operator.page.get_by_text("5 requests an hour")).to_have_count(0)
    assert place.ask("GET", path, service)["limits"] == [theirs]
    expect(operator.page.get_by_role("heading", level=1)).to_be_focused()


def test_a_key_is_forgotten_while_the_computer_sleeps(place: Operated, visitor: Visitor) -> None:
    open_console(visitor, place.key("accounts"))
    visitor.see_heading("Accounts")
    visitor.page.clock.set_system_time(visitor.page.evaluate("Date.now()") + HOURS)
    visitor.page.keyboard.press("Tab")
    expect(visitor.page.get_by_text("Nobody pressed anything")).to_be_visible()


def test_what_no_header_can_hold_is_said_to_be_no_key(visitor: Visitor) -> None:
    open_console(visitor, "rag_svc_abcd…")
    expect(visitor.page.locator(".fault", has_text="no characters but")).to_be_visible()
    assert visitor.complaints == []


def test_the_live_view_keeps_the_focus(place: Operated, visitor: Visitor) -> None:
    place.authorize("rag_live_nobody")
    open_console(visitor, place.key(*SCOPES), "/live")
    table = visitor.page.get_by_role("region", name="Refusals by reason")
    table.focus()
    with visitor.page.expect_response("**/metrics"):
        visitor.page.clock.run_for(2_000)
    expect(visitor.page.get_by_text("Now 0 a second, the most 0")).to_be_visible()
    expect(table).to_be_focused()


def test_what_is_no_api_is_said_to_be_none(place: Operated, visitor: Visitor) -> None:
    visitor.page.route("**/api/v1/me", lambda route: route.fulfill(body="<h1>Hello</h1>"))
    open_console(visitor, place.key("accounts"))
    expect(visitor.page.get_by_text("What answered is not the API")).to_be_visible()
    assert visitor.complaints == []


def test_many_keys_leave_room_for_the_rest(place: Operated, operator: Visitor) -> None:
    service = place.key(*SCOPES)
    body = {"external_id": "many", "plan": "pro"}
    account = place.ask("POST", "/accounts", service, json=body)
    for number in range(45):
        path = f"/accounts/{account['id']}/api-keys"
        place.ask("POST", path, service, json={"name": f"key {number}"})
    find(operator, "many")
    click(operator.page.locator("[data-account] a").first)
    operator.see_heading("many")
    keys = operator.page.locator("[data-key]")
    expect(keys).to_have_count(20)
    operator.press("Show more keys")
    click(keys.nth(39).get_by_role("button"))
    operator.press("Revoke it", operator.dialog)
    operator.see_notice("The key is revoked.")
    expect(keys).to_have_count(40)
    operator.press("Show more keys")
    expect(keys).to_have_count(44)
    expect(operator.page.get_by_role("button", name="Show more keys")).to_have_count(0)


@pytest.mark.parametrize(("token", "said"), [("", "asks for a token"), ("no", "does not accept")])
def test_a_token_that_is_missing_is_asked_for(
    place: Operated, visitor: Visitor, token: str, said: str
) -> None:
    visitor.show("/live")
    visitor.fill(key=place.key("accounts"), metrics=token)
    visitor.press("Open")
    expect(visitor.page.get_by_text(said)).to_contain_text("RAGAUTH_METRICS_TOKEN")
