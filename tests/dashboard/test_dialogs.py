"""Every kind, field and option of the dialogs: what was chosen is what the API stored."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.dashboard.forms import fill_in, values_of
from tests.dashboard.hands import click
from tests.dashboard.place import ZONE, Place, Visitor

TEXTS = {
    "name": "Zoë's key",
    "description": "Answers questions",
    "agent_name": "Widget bot",
    "allowed_ips": "203.0.113.0/24\n2001:db8::/32",
    "allowed_origins": "https://a.example.com\nhttps://b.example.com",
    "expires_on": "2031-05-06T07:08",
    "metadata": '{"customer": "c-17", "tags": ["a", null]}',
}
SCOPES = {"query", "ingest", "manage"}
# How long a key lives is the same field for both kinds: each option is taken for one of them.
TAKEN: dict[str, set[tuple[str, str]]] = {
    "secret": {("expires_at", "90"), ("expires_at", "365")},
    "publishable": {("expires_at", "30"), ("expires_at", "date")},
}
# Asked in the same breath as what closes a dialog: a hidden window draws no picture meanwhile.
COUNT_DIALOGS = "return document.querySelectorAll('dialog').length;"
# The walk rotates a key that works for another hour.
GRACE_OF_THE_WALK = ("grace_seconds", "3600")


class Owner:
    """Somebody with room for many keys, and the API to see what was stored."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        visitor.sign_up("/keys")
        visitor.place.service.installation.command("accounts", "set-plan", visitor.email, "scale")
        self.token = visitor.api_token()

    def call(self, method: str, path: str, **options: Any) -> Any:
        return self.visitor.place.call(method, path, token=self.token, **options)

    def newest_key(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", "/api/auth/api-keys?limit=1")[0]
        return found

    def key(self, key_id: str) -> dict[str, Any]:
        path = f"/api/auth/api-keys/{key_id}?include_revoked=true"
        found: dict[str, Any] = self.call("GET", path)
        return found

    @property
    def form(self) -> Locator:
        return self.visitor.dialog.locator("form")

    def fill_in(self, taken: set[tuple[str, str]], **fixed: str) -> dict[str, Any]:
        """Fill in each field that is shown, with an option that was not taken yet.

        Returns what the form holds, and notes the options that it has.
        """
        self.options = fill_in(self.form, taken, TEXTS, fixed)
        return values_of(self.form)

    def store_the_key(self) -> None:
        self.visitor.stored_key()
        self.visitor.press("I have stored it", self.visitor.dialog)
        expect(self.visitor.dialog).to_have_count(0)


@pytest.fixture(scope="module")
def next_owner(places: Any) -> Iterator[Callable[[], Owner]]:
    """The same for all, but after a test that failed before a key of it was stored."""
    place: Place = places("cookie")
    owners: list[Owner] = []
    with ExitStack() as visits:

        def next_one() -> Owner:
            if not owners or owners[-1].visitor.page.locator("[data-unstored]").count():
                owners.append(Owner(visits.enter_context(place.next_visitor())))
            return owners[-1]

        yield next_one


@pytest.fixture
def owner(next_owner: Callable[[], Owner]) -> Owner:
    return next_owner()


def expect_stored(
    values: Mapping[str, Any], stored: Mapping[str, Any], agents: Mapping[str, str]
) -> None:
    """Whether a key is as the form said. A field that is not known here is a failure."""
    is_widget = stored["kind"] == "publishable"
    for name, value in values.items():
        match name:
            case "name" | "kind" | "environment":
                assert stored[name] == value, name
            case "agent_id":
                wanted = agents[values["agent_name"]] if value == "new" else value or None
                assert stored["agent_id"] == wanted
            case "agent_name":
                assert value in agents
            case "scopes":
                assert set(stored["scopes"] or SCOPES) == set(value)
            case "allowed_ips" | "allowed_origins":
                assert stored[name] == (value.split() or None)
            case "expires_at":
                expect_expiry(value, values.get("expires_on"), stored["expires_at"])
            case "expires_on":
                assert values["expires_at"] == "date"
            case "metadata":
                assert stored["metadata"] == (json.loads(value) if value else None)
            case "is_active":
                assert stored["is_active"] is (value == "true")
            case _:
                pytest.fail(f"a field that no test knows: {name}")
    if is_widget:
        assert (stored["environment"], stored["scopes"]) == ("live", ["query"])


def expect_expiry(life: str, moment: str | None, stored: str | None) -> None:
    if life == "":
        assert stored is None
        return
    assert stored is not None
    end = datetime.fromisoformat(stored)
    if life == "date":
        assert moment is not None
        assert end == datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(ZONE))
    else:
        assert abs(end - datetime.now(UTC) - timedelta(days=int(life))) < timedelta(minutes=10)


@pytest.mark.parametrize("kind", ["secret", "publishable"])
def test_each_option_of_a_new_key_is_stored(owner: Owner, kind: str) -> None:
    """Each further key takes another option of each field, until every one was taken."""
    visitor = owner.visitor
    if not owner.call("GET", "/api/agents"):
        owner.call("POST", "/api/agents", json={"name": "Support bot"})
    visitor.open("/keys")
    taken = set(TAKEN[kind])
    options: set[tuple[str, str]] = set()
    fixed = {"kind": kind}
    while not options or options - taken:
        if "agent_id" in fixed:
            fresh = [option for name, option in options - taken if name == "agent_id"]
            fixed["agent_id"] = fresh[0] if fresh else owner.call("GET", "/api/agents")[0]["id"]
        click(visitor.page.get_by_role("button", name="New key").first)
        values = owner.fill_in(taken, **fixed)
        options = options or owner.options - {("kind", "secret"), ("kind", "publishable")}
        visitor.press("Create key", visitor.dialog)
        if kind == "publishable" and values["agent_id"] == "":
            agent = visitor.dialog.get_by_label("Agent", exact=True)
            expect(agent).to_have_accessible_description(re.compile("for one agent: choose it"))
            expect(agent).to_be_focused()
            fixed["agent_id"] = "new"
            values = owner.fill_in(taken, **fixed)
            visitor.press("Create key", visitor.dialog)
        owner.store_the_key()
        stored = owner.newest_key()
        agents = {one["name"]: one["id"] for one in reversed(owner.call("GET", "/api/agents"))}
        expect_stored(values, stored, agents)
        assert stored["kind"] == kind
    assert visitor.complaints == []


@pytest.mark.parametrize("kind", ["secret", "publishable"])
def test_each_option_of_a_change_is_stored(owner: Owner, kind: str) -> None:
    visitor = owner.visitor
    agent = owner.call("POST", "/api/agents", json={"name": f"For changes {kind}"})
    is_widget = kind == "publishable"
    made = owner.call(
        "POST",
        "/api/auth/api-keys",
        json={
            "name": f"To change {kind}",
            "kind": kind,
            **({"allowed_origins": ["https://old.example.com"]} if is_widget else {}),
            **({"agent_id": agent["id"]} if is_widget else {}),
        },
    )
    visitor.open("/keys")
    taken = set(TAKEN[kind])
    options: set[tuple[str, str]] = set()
    while not options or options - taken:
        row = visitor.page.locator(f"[data-key={made['id']}]")
        click(row.get_by_role("button", name="Edit key"))
        values = owner.fill_in(taken)
        options = owner.options
        visitor.press("Save", visitor.dialog)
        expect(visitor.dialog).to_have_count(0)
        expect_stored(values, owner.key(made["id"]), {})


def test_each_grace_of_a_rotation_is_given(owner: Owner) -> None:
    visitor = owner.visitor
    owner.call("POST", "/api/auth/api-keys", json={"name": "To rotate"})
    visitor.open("/keys")
    taken = {GRACE_OF_THE_WALK}
    options: set[tuple[str, str]] = set()
    while not options or options - taken:
        old = owner.newest_key()
        row = visitor.page.locator(f"[data-key={old['id']}]")
        click(row.get_by_role("button", name="Rotate key"))
        seconds = int(owner.fill_in(taken)["grace_seconds"])
        options = owner.options
        assert GRACE_OF_THE_WALK in options
        visitor.press("Rotate", visitor.dialog)
        owner.store_the_key()
        rotated = owner.key(old["id"])
        assert rotated["replaced_by"] == owner.newest_key()["id"]
        assert rotated["is_active"] is (seconds > 0)
        if seconds:
            left = datetime.fromisoformat(rotated["expires_at"]) - datetime.now(UTC)
            assert abs(left.total_seconds() - seconds) < 600


def test_an_agent_is_made_and_changed_as_it_was_typed(owner: Owner) -> None:
    visitor = owner.visitor
    visitor.open("/agents")
    for press, name in (("New agent", "Zoë's key"), ("Edit agent Zoë's key", "Another")):
        click(visitor.page.get_by_role("button", name=press).first)
        owner.fill_in(set())
        visitor.fill(visitor.dialog, name=name)
        values = values_of(owner.form)
        click(visitor.dialog.locator("form button[type=submit]"))
        expect(visitor.dialog).to_have_count(0)
        stored = owner.call("GET", "/api/agents?limit=1")[0]
        assert {name: stored[name] for name in values} == values


def test_what_is_missing_is_said_at_its_field_in_plain_words(owner: Owner) -> None:
    visitor = owner.visitor
    visitor.open("/keys")
    click(visitor.page.get_by_role("button", name="New key").first)
    for scope in SCOPES:
        click(visitor.dialog.locator(f"[value={scope}]"))
    visitor.press("Create key", visitor.dialog)
    name = visitor.dialog.get_by_label("Name", exact=True)
    expect(name).to_have_accessible_description(re.compile("Give the key a name"))
    expect(name).to_be_focused()
    expect(visitor.dialog.get_by_role("group", name="Scopes")).to_have_accessible_description(
        re.compile("Choose at least one scope")
    )
    # And what only the API knows: which line, which option.
    visitor.fill(visitor.dialog, name="x", allowed_ips="203.0.113.1\nnowhere")
    click(visitor.dialog.locator("[value=query]"))
    visitor.press("Create key", visitor.dialog)
    addresses = visitor.dialog.get_by_label("Allowed addresses")
    expect(addresses).to_have_accessible_description(re.compile("Line 2: Must be an address"))


# The status, the error, a header and what is said of it, in the order in which one form can get
# them: the last one lets nobody try again at once.
REFUSALS = [
    (
        400,
        '"VALIDATION_ERROR", "message": "Invalid request", "details": {"issues": '
        '[{"path": ["environment"], "message": "Your plan has no test keys"}]}',
        {},
        "Your plan has no test keys",
    ),
    (500, '"INTERNAL_ERROR", "message": "Internal server error"', {}, "went wrong"),
    (
        429,
        '"RATE_LIMIT_EXCEEDED", "message": "Too many requests"',
        {"Retry-After": "42"},
        r"a little too often\. Please try again in 4\d seconds",
    ),
]


def test_a_refusal_is_explained_with_the_number_of_the_request(owner: Owner) -> None:
    visitor = owner.visitor
    refusals = iter(REFUSALS)

    def refuse(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        status, error, more, _ = next(refusals)
        headers = {
            "Access-Control-Allow-Origin": visitor.place.origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "X-Request-Id, Retry-After",
            "X-Request-Id": f"the-number-of-{status}",
        }
        body = f'{{"error": {{"code": {error}}}}}'
        route.fulfill(status=status, headers=headers | more, body=body)

    visitor.open("/keys")
    click(visitor.page.get_by_role("button", name="New key").first)
    visitor.fill(visitor.dialog, name="x")
    visitor.page.route("**/api/auth/api-keys*", refuse)
    for status, _, _, said in REFUSALS:
        visitor.press("Create key", visitor.dialog)
        expect(visitor.dialog).to_contain_text(f"the-number-of-{status}")
        expect(visitor.dialog).to_contain_text(re.compile(said))
        if status == 400:
            environment = visitor.dialog.get_by_role("group", name="Environment")
            expect(environment).to_have_accessible_description(re.compile(said))
    expect(visitor.dialog.get_by_role("button", name=re.compile(r"Wait \d"))).to_be_disabled()
    visitor.page.unroute("**/api/auth/api-keys*")
    visitor.complaints.clear()


def test_what_is_shown_once_is_left_only_when_it_is_stored(owner: Owner) -> None:
    """Neither a second Enter, nor Escape, nor the browser's button for going back loses it."""
    visitor, page = owner.visitor, owner.visitor.page
    visitor.complaints.clear()
    visitor.dismiss_notices()
    visitor.open("/agents")
    visitor.open("/keys")
    visitor.see_heading("API keys")
    click(page.get_by_role("button", name="New key").first)
    visitor.fill(visitor.dialog, name="Kept")
    visitor.dialog.locator("[name=name]").press("Enter")
    key = visitor.dialog.locator(".key-once code")
    expect(key).to_be_visible()
    shown = key.inner_text()
    leave = visitor.dialog.get_by_role("button", name="I have stored it")
    for press in ("Enter", "Enter", "Escape", "Escape"):
        page.keyboard.press(press)
    page.go_back()
    expect(key).to_have_text(shown)
    expect(page).to_have_url(re.compile("/keys$"))
    expect(leave).to_be_disabled()
    with page.expect_download() as download:
        click(visitor.dialog.get_by_role("link", name="Save as a file"))
    assert download.value.path().read_text("utf-8") == f"{shown}\n"
    assert leave.evaluate(f"(button) => {{ button.click(); {COUNT_DIALOGS} }}") == 0
    assert visitor.place.authorize(shown) == 200

    # Whoever goes elsewhere leaves an open dialog behind.
    new = page.get_by_role("button", name="New key").first
    click(new)
    link = page.locator("nav a[href='/keys']")
    assert link.evaluate(f"(link) => {{ link.click(); {COUNT_DIALOGS} }}") == 0

    # A notice stands above an open dialog, where it can be pressed.
    click(new)
    page.evaluate("import('/js/notices.js').then((m) => m.notify('Over it'))")
    click(page.get_by_role("button", name="Dismiss"))
    expect(page.locator(".notice")).to_have_count(0)
    assert visitor.complaints == []
