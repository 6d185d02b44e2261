"""The interactive reference as a developer uses it, in a real browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyotp
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Route,
    expect,
)

from tests.dashboard.hands import click, fill
from tests.e2e.service import PASSWORD, QUICK, Service, install
from tests.servers.axe import ALL_BUT_COLOURS, COLOURS_ALONE, faults_of, load_axe
from tests.servers.chromium import find_chromium
from tests.servers.node import HAS_NPM, MISSING
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="chromium is missing: apt-get install chromium"
)

SIGN_UP = "POST/api/auth/signup"
SHOW_ME = "GET/api/auth/me"
LOG_OUT = "POST/api/auth/logout"
REGENERATE = "POST/api/auth/api-key/regenerate"
SHOW_HOLDER = "GET/api/v1/me"
SHOW_KEY = "GET/api/auth/api-keys/{key_id}"
REGISTER_AT_RST = "POST/compat/rst/v1/auth/register"


class Reference:
    """The page, and what a developer does on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.main = page.get_by_role("main")
        self.note = page.locator("#note")

    @property
    def state(self) -> list[str]:
        """What the auth bar says is set."""
        bar = self.page.get_by_role("status", name="Credentials")
        return bar.locator("span:visible").all_inner_texts()

    @property
    def sample(self) -> Locator:
        return self.main.get_by_label("The request as a program").first

    def open(self, link: str) -> None:
        """Follow a link to a route."""
        self.page.evaluate("link => { location.hash = link }", link)
        method, _, path = link.partition("/")
        expect(self.main.locator("h1 .method")).to_have_text(method)
        text = self.main.locator("h1 .path").inner_text()
        assert text.replace("\u200b", "") == f"/{path}"

    def send(self, link: str, body: str | None = None) -> tuple[int, str, dict[str, str]]:
        """Send a route's request, as the page offers it or with a body; the answer as shown."""
        self.open(link)
        return self.send_shown(body)

    def send_shown(self, body: str | None = None) -> tuple[int, str, dict[str, str]]:
        if body is not None:
            fill(self.main.get_by_label("Body", exact=True), body)
        click(self.main.get_by_role("button", name="Send").first)
        answer = self.main.get_by_role("group", name="Answer", exact=True).first
        expect(answer.locator(".headers")).to_be_visible()
        names = answer.locator("dt").all_inner_texts()
        headers = dict(zip(names, answer.locator("dd").all_inner_texts(), strict=True))
        shown = answer.get_by_label("Body of the answer")
        text = shown.inner_text() if shown.count() else ""
        return int(answer.locator("strong.code").inner_text()), text, headers

    def use_key(self, key: str) -> None:
        fill(self.page.get_by_label("API key", exact=True), key)
        click(self.page.get_by_role("button", name="Use key"))

    def log_in(self, email: str, password: str) -> None:
        fill(self.page.get_by_label("E-mail", exact=True), email)
        fill(self.page.get_by_label("Password", exact=True), password)
        click(self.page.get_by_role("button", name="Log in", exact=True))
        expect(self.note).not_to_be_empty()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    installation = install(tmp_path_factory.mktemp("installation"), **QUICK)
    installation.migrate()
    settings = {"RAGAUTH_COMPAT": "ragchats,rst", "RAGAUTH_TRUSTED_PROXIES": "1"}
    with installation.serve(workers=1, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def url(service: Service) -> str:
    return service.gunicorn.url


@pytest.fixture(scope="module")
def context(browser: Browser, url: str) -> Iterator[BrowserContext]:
    """A browser, whose windows share its cache and nothing else: the page keeps nothing.

    Closed before the service ends, which waits for connections that are open.
    """
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture(scope="class")
def reference(context: BrowserContext, url: str) -> Iterator[Reference]:
    """The reference; S30: nothing comes from elsewhere, the browser has nothing to complain of."""
    page = context.new_page()
    complaints: list[str] = []
    requested: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # That an answer was a refusal is not the page's fault.
        if message.type in ("error", "warning") and "status of 4" not in message.text:
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto("/docs")
    expect(page.get_by_role("heading", level=1)).to_have_text("ragauth reference")
    yield Reference(page)
    page.close()
    assert complaints == []
    own = (f"{url}/", "data:", "blob:")
    assert [request for request in requested if not request.startswith(own)] == []


@pytest.fixture(scope="class")
def page_with_axe(reference: Reference, node_modules: Path) -> Page:
    load_axe(reference.page, node_modules)
    return reference.page


def add_idempotency_key(route: Route) -> None:
    """Let the document name the header at a route that the page can send as it is."""
    document = route.fetch().json()
    operation = document["paths"]["/api/v1/me"]["get"]
    header = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    operation["parameters"] = [{**header, "required": False, "description": "A name."}]
    route.fulfill(json=document)


_COUNT_SHOWN = """window.shown = 0; new MutationObserver(() => { window.shown += 1; })
  .observe(document.getElementById("reference"), { childList: true });"""


class TestTrying:
    """One page, from a sign-up on."""

    def test_from_the_first_call_to_an_old_key_that_is_refused(self, reference: Reference) -> None:
        """S30: with a strict CSP, from the service's own origin alone."""
        # The first call can be seen and sent without a scroll.
        send = reference.main.get_by_role("button", name="Send").first
        box = send.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900
        assert "/api/auth/signup" in reference.sample.inner_text()
        assert reference.state == ["No credentials set"]
        body = f'{{"email": "docs@example.com", "password": "{PASSWORD}"}}'
        status, answer, _ = reference.send_shown(body)
        assert status == 201
        assert reference.state == ["JWT set", "Key set"]
        old_key = json.loads(answer)["data"]["api_key"]

        status, answer, _ = reference.send(SHOW_ME)
        assert (status, "docs@example.com" in answer) == (200, True)
        assert reference.send(SHOW_HOLDER)[0] == 200

        assert reference.send(REGENERATE)[0] == 200
        # The fresh key took the old one's place.
        assert reference.send(SHOW_HOLDER)[0] == 200
        reference.use_key(old_key)
        status, answer, headers = reference.send(SHOW_HOLDER)
        assert (status, "revoked" in answer) == (401, True)
        answer_panel = reference.main.get_by_role("group", name="Answer", exact=True)
        expect(answer_panel).to_contain_text(f"X-Request-Id: {headers['X-Request-Id']}")
        assert headers["www-authenticate"].startswith("Bearer")

    def test_a_sample_has_the_sessions_own_key_in_each_language(self, reference: Reference) -> None:
        reference.open(SHOW_HOLDER)
        reference.use_key("rag_live_mine")
        for language, words in (
            ("Python", ("import httpx", '"X-API-Key": "rag_live_mine"')),
            ("TypeScript", ("await fetch(", '"X-API-Key": "rag_live_mine"')),
            ("curl", ("curl '", "-H 'X-API-Key: rag_live_mine'")),
        ):
            click(reference.main.get_by_role("button", name=language))
            for word in words:
                expect(reference.sample).to_contain_text(word)
        reference.open(SHOW_KEY)
        reference.main.get_by_label("key_id (path)").fill("key_01")
        expect(reference.sample).to_contain_text("/api/auth/api-keys/key_01'")

    def test_a_header_that_the_document_names_is_sent_as_one(self, context: BrowserContext) -> None:
        page = context.new_page()
        page.route("**/openapi.json", add_idempotency_key)
        page.goto("/docs")
        reference = Reference(page)
        reference.open(SHOW_HOLDER)
        reference.main.get_by_label("Idempotency-Key (header)").fill("once")
        expect(reference.sample).to_contain_text("-H 'Idempotency-Key: once'")
        expect(reference.sample).to_contain_text("/api/v1/me' ")
        with page.expect_request("**/api/v1/me") as sent:
            reference.send_shown()
        assert sent.value.headers["idempotency-key"] == "once"
        page.close()

    @pytest.mark.parametrize("first", ["finished", "failed"])
    def test_a_route_that_is_chosen_while_the_document_is_read_is_shown_once(
        self, context: BrowserContext, first: str
    ) -> None:
        """A second time it would be without what was typed meanwhile."""
        page, held = context.new_page(), list[Route]()

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/openapi.json", hold)
        page.goto("/docs")
        page.evaluate(_COUNT_SHOWN)
        page.evaluate("link => { location.hash = link }", SHOW_HOLDER)
        wait_until(lambda: page.evaluate("true") and len(held) == 2)
        with page.expect_event(f"request{first}"):  # type: ignore[call-overload]
            (held[0].continue_ if first == "finished" else held[0].abort)()
        held[1].continue_()
        expect(page.locator("main h1 .path")).to_have_text(re.compile("me$"))
        assert page.evaluate("window.shown") == 1
        page.close()

    def test_what_deceives_is_shown_as_an_escape(self, reference: Reference) -> None:
        """S46: a text turns no letter around it."""
        reference.open(SIGN_UP)
        reference.main.get_by_label("Body", exact=True).fill('{"name": "a\u202eb"}')
        expect(reference.sample).to_contain_text("a\\u202eb")
        assert "\u202e" not in reference.sample.inner_text()

    def test_the_bar_logs_in_and_forgets(
        self, reference: Reference, url: str, service: Service
    ) -> None:
        user = service.sign_up()
        click(reference.page.get_by_role("button", name="Forget all"))
        assert reference.state == ["No credentials set"]
        assert reference.send(SHOW_ME)[0] == 401

        reference.log_in(user.email, "a wrong password")
        expect(reference.note).to_contain_text("Invalid email or password (request ")
        assert reference.state == ["No credentials set"]
        reference.log_in(user.email, PASSWORD)
        expect(reference.note).to_have_text("Logged in.")
        assert reference.state == ["JWT set"]
        assert reference.send(SHOW_ME)[0] == 200
        assert reference.send(LOG_OUT)[0] == 204
        assert reference.state == ["No credentials set"]

        enrolled = user.data("POST", "/api/auth/second-factor", json={"password": PASSWORD})
        code = pyotp.TOTP(enrolled["secret"]).now()
        recovery = user.data("POST", "/api/auth/second-factor/confirm", json={"code": code})
        reference.log_in(user.email, PASSWORD)
        reference.page.get_by_label("Code of the second factor").fill("000000")
        click(reference.page.get_by_role("button", name="Continue"))
        expect(reference.note).to_contain_text("Invalid code")
        field = reference.page.get_by_label("Code of the second factor")
        field.fill(recovery["recovery_codes"][0])
        click(reference.page.get_by_role("button", name="Continue"))
        expect(reference.note).to_have_text("Logged in.")
        assert reference.state == ["JWT set"]

        kept = "[localStorage.length, sessionStorage.length, document.cookie]"
        assert reference.page.evaluate(kept) == [0, 0, ""]
        assert reference.page.url.startswith(f"{url}/docs")
        assert "password" not in reference.page.url


# How the page can look: width, scheme, which of axe's rules this form can break, and where. A
# scheme changes colours alone, and a width all else, but for what only a phone has beside the text.
_FORMS: list[tuple[int, Literal["light", "dark"], str, str]] = [
    (1280, "light", "", "document"),
    (1280, "dark", COLOURS_ALONE, "document"),
    (390, "dark", COLOURS_ALONE, "{exclude: ['main']}"),
    (390, "light", ALL_BUT_COLOURS, "document"),
]
_BRIGHTNESS = (
    "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g)"
    ".slice(0, 3).reduce((sum, one) => sum + Number(one), 0) / 3"
)


class TestReading:
    """One page, without credentials."""

    def test_a_keyboard_is_enough(self, reference: Reference) -> None:
        page = reference.page
        focused = "document.activeElement.id || document.activeElement.textContent.trim()"

        def after_tab() -> str:
            page.keyboard.press("Tab")
            text: str = page.evaluate(focused)
            return text

        assert after_tab() == "Skip to the content"
        bar = ["document", "email", "password", "Log in", "key", "Use key"]
        assert [after_tab() for _ in bar] == bar
        # Where one is can be seen.
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        while after_tab() != "search":
            pass
        page.keyboard.type("post signup")
        expect(page.get_by_role("status", name="Search")).to_have_text("1 found")
        while "signup" not in after_tab():
            pass
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        assert page.title().startswith("POST /api/auth/signup")
        page.get_by_label("Search the routes").fill("")

    def test_errors_are_told_once_and_named_at_each_route(self, reference: Reference) -> None:
        reference.open(SIGN_UP)
        refusals = reference.main.get_by_label("Table: Refusals")
        expect(refusals).to_contain_text("An account with this email already exists.")
        click(refusals.get_by_role("link", name="409"))
        heading = reference.main.get_by_role("heading", name="409 Conflict")
        expect(heading).to_be_focused()
        codes = reference.main.get_by_label("Table: Codes").locator("tbody tr")
        expect(codes).to_have_count(9)

    def test_a_link_names_its_method_and_its_document(self, reference: Reference) -> None:
        page = reference.page
        fill(page.get_by_label("Format"), "ragauth: RAG Chats")
        expect(page.locator("main h1")).to_have_text("ragauth: RAG Chats reference")
        reference.open(SHOW_ME)
        expect(page.locator("#document option:checked")).to_have_text("ragauth")

    def test_below_a_prefix_it_opens_what_a_link_names_and_calls_below_it(
        self, context: BrowserContext, url: str
    ) -> None:
        page = context.new_page()
        called: list[str] = []

        def hand_over(route: Route) -> None:
            called.append(route.request.url)
            headers = {**route.request.headers, "x-forwarded-prefix": "/auth"}
            route.continue_(url=route.request.url.replace("/auth/", "/", 1), headers=headers)

        page.route(f"{url}/auth/**", hand_over)
        page.goto(f"{url}/auth/docs#{REGISTER_AT_RST}")
        expect(page.locator("main h1")).to_contain_text("POST")
        expect(page.locator("#document option:checked")).to_have_text("ragauth: RST")
        reference = Reference(page)
        reference.open(SHOW_ME)
        expect(reference.sample).to_contain_text(f"{url}/auth/api/auth/me")
        assert reference.send_shown()[0] == 401
        assert called[-1] == f"{url}/auth/api/auth/me"
        page.close()

    @pytest.mark.skipif(not HAS_NPM, reason=MISSING)
    @pytest.mark.parametrize(
        "link", ["", f"#{SIGN_UP}", "#errors"], ids=["start", "route", "errors"]
    )
    def test_everyone_can_read_it(self, page_with_axe: Page, link: str) -> None:
        """axe finds nothing; on a phone nothing is wider than the screen."""
        page = page_with_axe
        page.set_viewport_size({"width": 1280, "height": 844})
        page.evaluate("link => { location.hash = link }", link)
        expect(page.locator("main h1")).to_be_visible()
        if link == f"#{SIGN_UP}":
            Reference(page).send_shown("{}")
        for width, scheme, options, part in _FORMS:
            page.set_viewport_size({"width": width, "height": 844})
            page.emulate_media(color_scheme=scheme)
            assert (page.evaluate(_BRIGHTNESS) < 40) == (scheme == "dark")
            routes = page.get_by_role("button", name="Routes")
            search = page.get_by_label("Search the routes")
            if link == "#errors" and width == 390 and not search.is_visible():
                click(routes)
                expect(search).to_be_visible()
            assert faults_of(page, options, part) == [], (width, scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
