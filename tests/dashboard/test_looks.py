"""How every page and dialog looks: contrast, names, widths; light and dark, window and phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.dashboard.conftest import in_cookie_mode
from tests.dashboard.hands import click
from tests.dashboard.place import VIEWS, WINDOW, Place, Visitor

LOOKS = (Path(__file__).parent / "looks.js").read_text("utf-8")


class Form(NamedTuple):
    """How a page can look."""

    size: str
    scheme: Literal["light", "dark"]


# As windows are opened, and then each other form, which differs from the one before in one thing.
FORMS = [
    Form("window", "light"),
    Form("window", "dark"),
    Form("phone", "dark"),
    Form("phone", "light"),
]
SIZES: dict[str, ViewportSize] = {"window": WINDOW, "phone": {"width": 360, "height": 740}}
LONG = "W" * 100
# The page, what is pressed in it, and what is chosen in the dialog.
DIALOGS = [
    ("/keys", "New key", "Secret"),
    ("/keys", "New key", "Publishable"),
    ("/keys", f"Edit key {LONG}", None),
    ("/keys", f"Details of key {LONG}", None),
    ("/keys", f"Rotate key {LONG}", None),
    ("/keys", f"Revoke key {LONG}", None),
    ("/agents", "New agent", None),
    ("/agents", f"Delete agent {LONG}", None),
    ("/security", "Turn on", None),
    ("/account", "Delete…", None),
]


def expect_good_looks(visitor: Visitor, name: str) -> None:
    faults = []
    form = FORMS[0]
    try:
        for following in FORMS:
            change_form(visitor.page, form, following)
            form = following
            found = visitor.page.evaluate(LOOKS)
            faults += [f"{name}, {form}: {fault}" for fault in found]
    finally:
        change_form(visitor.page, form, FORMS[0])
    assert faults == []


def change_form(page: Page, form: Form, following: Form) -> None:
    """Have the page look otherwise; only what differs, for each change draws it anew."""
    if following.size != form.size:
        page.set_viewport_size(SIZES[following.size])
    if following.scheme != form.scheme:
        page.emulate_media(color_scheme=following.scheme, reduced_motion="reduce")


@in_cookie_mode
@pytest.mark.parametrize("path", ["/login", "/signup", "/forgot-password", "/reset-password"])
def test_a_page_before_the_login_can_be_seen_and_used(visitor: Visitor, path: str) -> None:
    visitor.show(path)
    expect(visitor.page.locator("h1")).to_be_visible()
    if path == "/login":
        visitor.fill(login="nobody@example.com", password="not this one")
        visitor.press("Log in")
        # The message has the focus, so that it is read first.
        alert = visitor.page.get_by_role("alert").first
        expect(alert).to_contain_text("Invalid email or password")
        expect(alert).to_be_focused()
    expect_good_looks(visitor, path)


@pytest.fixture(scope="module")
def owner(place_of_looks: Place) -> Iterator[Visitor]:
    """Somebody whose names are as long as names may be, and whose keys are in every state."""
    with place_of_looks.next_visitor() as visitor:
        key = visitor.sign_up()
        token = visitor.api_token()

        def make(path: str, **fields: object) -> dict[str, str]:
            made: dict[str, str] = visitor.place.call("POST", path, token=token, json=fields)
            return made

        agent = make("/api/agents", name=LONG, description=LONG)
        limits = [
            {"meter": "requests", "window": "total", "size": 10**12, "name": LONG[:50]},
            {"meter": "tokens", "window": "250ms", "size": 0, "name": "n", "applies": "named"},
        ]
        long = make(
            "/api/auth/api-keys",
            name=LONG,
            agent_id=agent["id"],
            environment="test",
            limits=limits,
            metadata={LONG: LONG},
        )
        off = make("/api/auth/api-keys", name="Off", allowed_ips=["203.0.113.0/24"])
        make(
            "/api/auth/api-keys",
            name="Widget",
            kind="publishable",
            agent_id=agent["id"],
            allowed_origins=[f"https://{'w' * 60}.example.com", "https://b.example.com"],
        )
        path = f"/api/auth/api-keys/{off['id']}"
        visitor.place.call("PATCH", path, token=token, json={"is_active": False})
        make(f"/api/auth/api-keys/{off['id']}/rotate", grace_seconds=3600)
        for used in (key, long["api_key"]):
            assert visitor.place.authorize(used, cost=100) == 200
        yield visitor


@pytest.fixture(scope="module")
def place_of_looks(places: object) -> Place:
    place: Place = places("cookie")  # type: ignore[operator]
    return place


@pytest.mark.parametrize("path", VIEWS)
def test_a_page_can_be_seen_and_used(owner: Visitor, path: str) -> None:
    owner.open(path)
    owner.see_heading(VIEWS[path])
    if path == "/":
        expect_good_looks(owner, "usage by day")
        owner.press("By month")
        expect(owner.page.get_by_role("heading", name="By month")).to_be_visible()
    if path == "/keys":
        click(owner.page.get_by_label("Show revoked keys"))
        expect(owner.page.locator("[data-key]")).to_have_count(5)
        click(owner.page.get_by_text("A request was refused?"))
    expect_good_looks(owner, path)


@pytest.mark.parametrize(("path", "press", "chosen"), DIALOGS)
def test_a_dialog_can_be_seen_and_used(
    owner: Visitor, path: str, press: str, chosen: str | None
) -> None:
    owner.open(path)
    click(owner.page.get_by_role("button", name=press, exact=True).first)
    if chosen:
        click(owner.dialog.get_by_label(chosen))
        owner.press("Create key", owner.dialog)
    expect(owner.dialog).to_be_visible()
    expect_good_looks(owner, press)
    # The focus goes into the dialog, and back to where it was.
    assert owner.dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    owner.page.keyboard.press("Escape")
    expect(owner.page.get_by_role("button", name=press, exact=True).first).to_be_focused()
