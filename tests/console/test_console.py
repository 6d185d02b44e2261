"""The console as an operator uses it, in a real browser."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import expect

from tests.console.conftest import LONG, SCOPES, Operated, open_console
from tests.dashboard.hands import click, fill
from tests.dashboard.place import Visitor
from tests.dashboard.test_looks import expect_good_looks
from tests.servers.axe import COLOURS_ALONE, faults_of, load_axe
from tests.servers.node import HAS_NPM, MISSING
from tests.servers.webhook_receiver import answer, running_receiver
from tests.waiting import wait_until

ADA = "ada@example.com"


@pytest.fixture(scope="module")
def ada(place: Operated) -> dict[str, Any]:
    """A customer who used a key, with names as long as they may be."""
    signed_up = place.sign_up(ADA, name=LONG)
    service = place.key(*SCOPES)
    account = signed_up["account"]
    place.ask("PATCH", f"/accounts/{account['id']}", service, json={"external_id": f"c-{LONG}"})
    for _ in range(3):
        assert place.authorize(signed_up["api_key"], cost=5, use="tokens:1200") == 200
    assert place.authorize("rag_live_nobody") == 401
    return {**signed_up, "service": service}


def account_of(place: Operated, ada: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = place.ask("GET", f"/accounts/{ada['account']['id']}", ada["service"])
    return shown


def find(operator: Visitor, text: str) -> None:
    search = operator.page.get_by_role("searchbox")
    if not search.count():
        operator.open("/")
    fill(search, text)
    operator.press("Find")


def open_account(operator: Visitor, text: str = ADA) -> None:
    find(operator, text)
    operator.page.get_by_role("heading", name="Found").wait_for()
    click(operator.page.locator("[data-account] a").first)
    operator.see_heading(ADA)


def test_a_key_is_kept_in_memory_alone(place: Operated, visitor: Visitor) -> None:
    key = place.make_key("accounts")
    visitor.note_requests()
    open_console(visitor, f"{key[:-1]}!")
    fault = visitor.page.locator(".fault:not(:empty)")
    expect(fault).to_be_visible()
    open_console(visitor, place.sign_up("eve@example.com")["api_key"])
    expect(fault).to_contain_text("This is a customer's key.")
    open_console(visitor, key)
    visitor.see_heading("Accounts")
    stored = visitor.page.evaluate(
        "async () => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie,"
        " location.href, history.state, await indexedDB.databases(), await caches.keys()])"
    )
    assert key not in stored
    assert stored == f'[{{}},{{}},"","{place.origin}/",null,[],[]]'
    visitor.page.reload()
    expect(visitor.page.get_by_label("Service key")).to_be_visible()
    assert not [url for url in visitor.requests if key in url]
    # Only this origin was asked.
    assert {url for url in visitor.requests if not url.startswith(place.origin)} == set()
    open_console(visitor, key)
    visitor.press("Forget the key")
    expect(visitor.page.get_by_label("Service key")).to_be_empty()
    # The browser tells of the one that is no key.
    assert [line for line in visitor.complaints if "401" not in line] == []


def test_a_key_that_is_revoked_or_lies_idle_is_forgotten(place: Operated, visitor: Visitor) -> None:
    key = place.make_key("accounts")
    open_console(visitor, key)
    visitor.see_heading("Accounts")
    visitor.page.clock.fast_forward("14:59")
    visitor.page.keyboard.press("Tab")
    visitor.page.clock.fast_forward("14:59")
    visitor.see_heading("Accounts")
    visitor.page.clock.fast_forward("00:02")
    expect(visitor.page.get_by_text("Nobody pressed anything")).to_be_visible()
    open_console(visitor, key)
    visitor.see_heading("Accounts")
    place.call("POST", "/api/v1/keys/revoke", json={"key": key})
    visitor.press("Find")
    expect(visitor.page.get_by_text("The API no longer accepts the key.")).to_be_visible()


def test_a_key_with_few_scopes_shows_what_it_may(place: Operated, visitor: Visitor) -> None:
    open_console(visitor, place.key("accounts"))
    find(visitor, "rag_live_abcd")
    expect(visitor.page.get_by_text("has not the scope “keys”")).to_be_visible()
    visitor.open("/webhooks")
    expect(visitor.page.get_by_text("has not the scope for it")).to_be_visible()
    assert visitor.complaints == []
    find(visitor, "")


def test_an_account_is_found_by_whatever_is_known(operator: Visitor, ada: dict[str, Any]) -> None:
    """A whole key that is pasted is cut to its prefix before anything is asked."""
    operator.note_requests()
    known = {
        "email": ADA.upper(),
        "id": ada["account"]["id"],
        "external_id": f"c-{LONG}",
        "name": LONG[:50],
        "key": ada["api_key"],
    }
    for by, text in known.items():
        find(operator, text)
        found = "[data-key] a" if by == "key" else "[data-account] a"
        owner = operator.page.locator(found, has_text=ADA).first
        expect(owner).to_be_visible()
        if by in ("email", "key"):
            click(owner)
            operator.see_heading(ADA)
            operator.page.go_back()
            expect(owner).to_be_visible()
    assert not [url for url in operator.requests if ada["api_key"][9:20] in url]
    find(operator, "nobody-is-called-so")
    expect(operator.page.get_by_role("heading", name="Nothing found")).to_be_visible()


def test_an_account_is_seen_and_acted_for(
    place: Operated, operator: Visitor, ada: dict[str, Any]
) -> None:
    open_account(operator)
    page = operator.page
    expect(page.get_by_role("img", name=re.compile("Bar chart: 3 requests"))).to_be_visible()
    expect(page.get_by_text("of 200,000 tokens left this month")).to_be_visible()

    operator.press("Suspend")
    operator.press("Suspend it", operator.dialog)
    operator.see_notice("The account is suspended")
    assert place.authorize(ada["api_key"]) == 403
    operator.press("Resume")
    operator.see_notice("The account is resumed")
    assert place.authorize(ada["api_key"]) == 200

    operator.press("Change plan")
    operator.fill(operator.dialog, plan="pro")
    operator.press("Change plan", operator.dialog)
    operator.see_notice("The plan is changed")
    expect(page.get_by_text("Plan pro; what live keys have left")).to_be_visible()

    operator.press("Set a limit")
    operator.fill(operator.dialog, meter="tokens", window="fortnight", size="1,000")
    operator.press("Set it", operator.dialog)
    expect(operator.dialog.get_by_text("100ms to 30 days")).to_be_visible()
    operator.fill(operator.dialog, window="day")
    operator.press("Set it", operator.dialog)
    expect(page.get_by_text("1,000 tokens a day")).to_be_visible()
    operator.press("Set a limit")
    click(operator.dialog.get_by_label("No limit"))
    operator.fill(operator.dialog, window="minute")
    operator.press("Set it", operator.dialog)
    expect(page.get_by_text("no limit of requests a minute")).to_be_visible()
    day = {"meter": "tokens", "window": "day", "size": 1000}
    minute = {"meter": "requests", "window": "minute", "size": None}
    assert account_of(place, ada)["limits"] == [day, minute]
    operator.dismiss_notices()
    operator.press("Reset to the plan's: 1,000 tokens a day")
    expect(page.get_by_text("1,000 tokens a day")).to_have_count(0)
    assert account_of(place, ada)["limits"] == [minute]
    for event in ("Account suspended", "Account resumed", "Plan changed"):
        expect(page.locator(".timeline li", has_text=event)).to_contain_text("by the operator")


def test_its_keys_and_sessions_are_ended(place: Operated, operator: Visitor) -> None:
    member = place.sign_up("mallory@example.com")
    body = {"email": "mallory@example.com", "password": "an otter in the reeds"}
    tokens = [place.call("POST", "/api/auth/login", json=body)["token"] for _ in range(2)]
    operator.show(f"/accounts/{member['account']['id']}")
    operator.see_heading("mallory@example.com")
    page = operator.page
    click(page.locator("[data-session] button").first)
    expect(page.locator("[data-session]")).to_have_count(2)
    assert is_refused(place, tokens[-1])
    assert not is_refused(place, tokens[0])
    operator.press("End all")
    operator.press("End them", operator.dialog)
    expect(page.locator("[data-session]")).to_have_count(0)
    assert is_refused(place, tokens[0])
    click(page.locator("[data-key] button"))
    operator.press("Revoke it", operator.dialog)
    expect(page.get_by_text("No live key.")).to_be_visible()
    assert place.authorize(member["api_key"]) == 401
    click(page.get_by_label("Revoked ones too"))
    expect(page.locator("[data-key]", has_text="Revoked")).to_be_visible()


def is_refused(place: Operated, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return place.service.client.get("/api/auth/me", headers=headers).status_code == 401


def test_the_moment_is_seen(place: Operated, visitor: Visitor, ada: dict[str, Any]) -> None:
    page = visitor.page
    visitor.note_requests()
    open_console(visitor, ada["service"], "/live")
    visitor.see_heading("Live")
    malformed = page.locator("tr", has_text="malformed").locator("td").last
    before = int(malformed.inner_text())
    assert place.authorize("rag_live_nobody") == 401
    page.clock.run_for(2_000)
    expect(malformed).to_have_text(str(before + 1))
    expect(page.locator(".figure", has_text="Refused")).to_contain_text("0.5/s")
    expect(page.locator(".figure", has_text="Hashing")).to_contain_text("0 of")
    expect(page.locator(".figure", has_text="Health")).to_contain_text("Well")
    expect_good_looks(visitor, "live")
    visitor.open("/")
    find(visitor, ADA)
    expect(page.get_by_role("heading", name="Found")).to_be_visible()
    asked = visitor.requests.count(f"{place.origin}/metrics")
    page.clock.run_for(10_000)
    find(visitor, "")
    expect(page.get_by_role("heading", name="Newest")).to_be_visible()
    # It ended with its view.
    assert visitor.requests.count(f"{place.origin}/metrics") == asked
    assert visitor.complaints == []


def test_deliveries_are_seen_and_sent_again(place: Operated, operator: Visitor) -> None:
    service = place.key(*SCOPES)
    with running_receiver() as receiver:
        receiver.behaviour = answer(500)
        webhook = place.ask("POST", "/webhooks", service, json={"url": receiver.url})
        operator.open("/")
        operator.open("/webhooks")
        operator.press(f"Send a test to webhook {receiver.url}")
        operator.see_notice("A test is on its way.")
        wait_until(lambda: len(receiver.received) == 1)
        again = operator.page.get_by_role("button", name="Load again")
        delivery = operator.page.locator("[data-delivery]")
        wait_until(lambda: click(again) or "answered 500" in delivery.inner_text())
        expect_good_looks(operator, "webhooks")
        receiver.behaviour = answer(204)
        click(delivery.get_by_role("button"))
        wait_until(lambda: len(receiver.received) == 2)
        assert receiver.received[0].id == receiver.received[1].id
        wait_until(lambda: click(again) or "delivered" in delivery.inner_text())
        operator.press(f"Switch off webhook {receiver.url}")
        expect(operator.page.get_by_role("button", name="Switch on")).to_be_visible()
        assert place.ask("GET", f"/webhooks/{webhook['id']}", service)["is_active"] is False


def test_every_page_and_dialog_can_be_seen_and_used(
    operator: Visitor, visitor: Visitor, ada: dict[str, Any]
) -> None:
    page = operator.page
    find(operator, "")
    expect(page.get_by_role("heading", name="Who uses most")).to_be_visible()
    fill(page.get_by_label("What is compared"), "tokens")
    expect(page.locator(".top td", has_text="3,600")).to_be_visible()
    expect_good_looks(operator, "accounts")
    open_account(operator)
    expect_good_looks(operator, "account")
    for press in ("Change plan", "Set a limit", "Suspend", "End all"):
        operator.press(press)
        expect(operator.dialog).to_be_visible()
        expect_good_looks(operator, press)
        assert operator.dialog.evaluate("dialog => dialog.contains(document.activeElement)")
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name=press, exact=True)).to_be_focused()
    find(operator, ada["api_key"])
    expect(page.locator("[data-key]")).to_be_visible()
    expect_good_looks(operator, "keys")
    visitor.press("Open")
    expect(visitor.page.get_by_text("Paste a service key")).to_be_visible()
    expect_good_looks(visitor, "entrance")
    # The browser tells of each refusal; one was asked for, of a window that there is not.
    assert [line for line in operator.complaints if "400 (Bad Request)" not in line] == []


@pytest.mark.skipif(not HAS_NPM, reason=MISSING)
def test_axe_finds_nothing(operator: Visitor, ada: dict[str, Any], node_modules: Path) -> None:
    page = operator.page
    load_axe(page, node_modules)
    # A scheme changes colours alone.
    schemes: list[tuple[Literal["light", "dark"], str]] = [("light", ""), ("dark", COLOURS_ALONE)]
    for path, heading in (
        ("/", "Accounts"),
        (f"/accounts/{ada['account']['id']}", ADA),
        ("/live", "Live"),
        ("/webhooks", "Webhooks"),
    ):
        operator.show(path)
        operator.see_heading(heading)
        faults = []
        for scheme, options in schemes:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            faults += faults_of(page, options)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        assert faults == [], path
