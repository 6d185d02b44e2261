"""The interactive reference as a developer uses it, in a real browser."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    expect,
)

from tests.e2e.conftest import NewInstallation
from tests.e2e.service import PASSWORD

CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is missing: apt-get install chromium"
)

SIGN_UP = "Accounts-auth_sign_up"
SHOW_ACCOUNT = "Accounts-auth_show_account"
LOG_OUT = "Sessions-auth_log_out"
REGENERATE = "API_keys-keys_regenerate"
SHOW_HOLDER = "Key_check-check_show_holder"


class Reference:
    """The page, and what a developer does on it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def state(self) -> list[str]:
        """What the auth bar says is set."""
        return self.page.get_by_role("status").locator("span:visible").all_inner_texts()

    @property
    def note(self) -> str:
        return self.page.get_by_role("alert").inner_text()

    def operation(self, name: str) -> Locator:
        return self.page.locator(f"[id='operations-{name}']")

    def open(self, name: str) -> Locator:
        """Unfold a route, if it is not yet."""
        operation = self.operation(name)
        if operation.locator(".execute").count() == 0:
            operation.locator(".opblock-summary-control").click()
        return operation

    def send(self, name: str, body: str | None = None) -> tuple[int, str]:
        """Execute a route with what the page offers, or with a body; the status and the body."""
        operation = self.open(name)
        if operation.locator(".btn-clear").count():
            operation.locator(".btn-clear").click()
        if body is not None:
            operation.locator("textarea").fill(body)
        operation.locator(".execute").click()
        answer = operation.locator(".live-responses-table .response").first
        expect(answer).to_be_visible()
        status = answer.locator(".response-col_status").inner_text().split()[0]
        shown = answer.locator(".highlight-code").first
        return int(status), shown.inner_text() if shown.count() else ""

    def use_key(self, key: str) -> None:
        self.page.get_by_label("API key", exact=True).fill(key)
        self.page.get_by_role("button", name="Use key").click()

    def log_in(self, email: str, password: str) -> None:
        self.page.get_by_label("E-mail", exact=True).fill(email)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Log in", exact=True).click()
        expect(self.page.get_by_role("alert")).not_to_be_empty()


@pytest.fixture(scope="module")
def url(new_installation: NewInstallation) -> Iterator[str]:
    installation = new_installation("sqlite")
    installation.migrate()
    with installation.serve(workers=1, RAGAUTH_COMPAT="ragchats,rst") as service:
        yield service.gunicorn.url


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser, whose windows share its cache and nothing else: the page keeps nothing."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
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
    page.goto(f"{url}/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    yield Reference(page)
    # What Swagger UI has against a document it shows on the page.
    expect(page.locator(".errors-wrapper")).to_have_count(0)
    page.close()
    assert complaints == []
    own = (f"{url}/", "data:", "blob:")
    assert [request for request in requested if not request.startswith(own)] == []


class TestTrying:
    """One page, from a sign-up on."""

    def test_from_signing_up_to_an_old_key_that_is_refused(self, reference: Reference) -> None:
        """S30: with a strict CSP, from the service's own origin alone."""
        assert reference.state == ["No credentials set"]
        assert reference.send(SHOW_ACCOUNT)[0] == 401
        body = f'{{"email": "docs@example.com", "password": "{PASSWORD}"}}'
        status, answer = reference.send(SIGN_UP, body)
        assert status == 201
        assert reference.state == ["JWT set", "Key set"]
        old_key = answer.partition('"api_key": "')[2].partition('"')[0]
        assert old_key.startswith("rag_live_")

        status, answer = reference.send(SHOW_ACCOUNT)
        assert (status, "docs@example.com" in answer) == (200, True)
        assert reference.send(SHOW_HOLDER)[0] == 200

        assert reference.send(REGENERATE)[0] == 200
        # The fresh key took the old one's place.
        assert reference.send(SHOW_HOLDER)[0] == 200
        reference.use_key(old_key)
        status, answer = reference.send(SHOW_HOLDER)
        assert (status, '"revoked"' in answer) == (401, True)

    def test_the_bar_logs_in_and_forgets(self, reference: Reference, url: str) -> None:
        body = f'{{"email": "bar@example.com", "password": "{PASSWORD}"}}'
        assert reference.send(SIGN_UP, body)[0] == 201
        assert reference.state == ["JWT set", "Key set"]
        reference.page.get_by_role("button", name="Forget all").click()
        assert reference.state == ["No credentials set"]
        assert reference.send(SHOW_ACCOUNT)[0] == 401

        reference.log_in("bar@example.com", "a wrong password")
        expect(reference.page.get_by_role("alert")).to_have_text("Invalid email or password")
        assert reference.state == ["No credentials set"]
        reference.log_in("bar@example.com", PASSWORD)
        expect(reference.page.get_by_role("alert")).to_have_text("Logged in.")
        assert reference.state == ["JWT set"]
        assert reference.send(SHOW_ACCOUNT)[0] == 200
        assert reference.send(LOG_OUT)[0] == 204
        assert reference.state == ["No credentials set"]

        kept = "[localStorage.length, sessionStorage.length, document.cookie]"
        assert reference.page.evaluate(kept) == [0, 0, ""]
        assert reference.page.url.startswith(f"{url}/docs")
        assert "password" not in reference.page.url


class TestReading:
    """One page, without credentials."""

    def test_a_keyboard_is_enough(self, reference: Reference) -> None:
        page = reference.page
        focused = "document.activeElement.id || document.activeElement.textContent.trim()"

        def after_tab() -> str:
            page.keyboard.press("Tab")
            text: str = page.evaluate(focused)
            return text

        assert after_tab() == "Skip to the routes"
        bar = ["document", "email", "password", "Log in", "key", "Use key"]
        assert [after_tab() for _ in bar] == bar
        # Where one is can be seen.
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        summary = reference.operation(SIGN_UP).locator(".opblock-summary-control")
        summary.focus()
        page.keyboard.press("Enter")
        expect(reference.operation(SIGN_UP).locator(".execute")).to_be_visible()
        page.keyboard.press("Enter")
        expect(reference.operation(SIGN_UP).locator(".execute")).to_have_count(0)

    def test_in_the_dark_the_page_is_dark(self, reference: Reference) -> None:
        brightness = (
            "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g)"
            ".slice(0, 3).reduce((sum, one) => sum + Number(one), 0) / 3"
        )
        page = reference.page
        page.emulate_media(color_scheme="dark")
        expect(page.locator("html")).to_have_class("dark-mode")
        assert page.evaluate(brightness) < 40
        page.emulate_media(color_scheme="light")
        expect(page.locator("html")).not_to_have_class("dark-mode")
        assert page.evaluate(brightness) > 220

    def test_on_a_phone_nothing_is_wider_than_the_screen(self, reference: Reference) -> None:
        reference.page.set_viewport_size({"width": 360, "height": 740})
        reference.open(SIGN_UP)
        expect(reference.operation(SIGN_UP).locator(".execute")).to_be_visible()
        assert reference.page.evaluate("document.documentElement.scrollWidth") <= 360
        for label in ("E-mail", "Password", "API key"):
            box = reference.page.get_by_label(label, exact=True).bounding_box()
            assert box is not None
            assert box["width"] > 80
            assert box["height"] >= 40

    def test_another_vendors_format_can_be_chosen(self, reference: Reference) -> None:
        reference.page.get_by_label("Format").select_option("ragauth: RST")
        register = reference.page.locator(".opblock", has_text="/compat/rst/v1/auth/register")
        expect(register).to_be_visible()
        expect(reference.page.locator(".info .title")).to_contain_text("RST")
