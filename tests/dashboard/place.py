"""Where the dashboard's tests take place: the API, the dashboard on its own origin, a visitor."""

import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import httpx
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    ViewportSize,
    expect,
)

from tests.dashboard.hands import PATIENCE_SECONDS, click, fill, fill_slowly
from tests.e2e.service import PASSWORD, Service
from tests.factories.mails import Mail, read_mail
from tests.servers.gunicorn import PROJECT_ROOT
from tests.servers.processes import ServerProcess

DASHBOARD = PROJECT_ROOT / "examples" / "dashboard"
# The visitors' computers: where they are, and how large their windows.
ZONE = "America/New_York"
WINDOW: ViewportSize = {"width": 1280, "height": 800}
# What somebody sees who is logged in, and how it is headed.
VIEWS = {
    "/": "Usage",
    "/keys": "API keys",
    "/agents": "Agents",
    "/security": "Security",
    "/account": "Account",
}

# In a window, the page's own modules: what its forms do, and its links, without a load.
_SIGN_UP = """
async ([body, path]) => {
  const [{ call }, session, router] = await Promise.all(
    ["client", "session", "router"].map((name) => import(`/js/${name}.js`)),
  );
  const answer = await call("signUp", { body });
  await session.open(answer);
  await router.navigate(path, { replace: true });
  return answer.api_key;
}
"""
_SHOW = "async (path) => (await import('/js/router.js')).navigate(path)"
_LEAVE = """
async () => {
  const [session, router, once] = await Promise.all(
    ["session", "router", "once"].map((name) => import(`/js/${name}.js`)),
  );
  if (once.isUnstored()) return false;
  if (session.exists()) await session.forget("logged_out");
  await router.navigate("/login");
  document.querySelector("#notices").replaceChildren();
  return document.querySelector("h1")?.textContent === "Welcome back" &&
    !session.exists() && !localStorage.length && !document.querySelector("dialog");
}
"""

# The blur behind a dialog takes a machine without a GPU longer than all else that it paints.
_WITHOUT_BLUR = """
const sheet = new CSSStyleSheet();
sheet.replaceSync("dialog::backdrop { backdrop-filter: none !important }");
document.adoptedStyleSheets = [sheet];
"""

_numbers = count(1)


@contextmanager
def serve_dashboard(folder: Path, port: int, api: str) -> Iterator[str]:
    """Yield the dashboard's origin, with its own server as `make dashboard` starts it."""
    arguments = ["--port", str(port), "--api", api]
    process = ServerProcess(
        [sys.executable, DASHBOARD / "serve.py", *arguments],
        folder=folder,
        environment={"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        last_signal=signal.SIGTERM,
    )
    origin = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "Ctrl-C" not in process.log():
            if process.exit_code() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the dashboard is not served:\n{process.log()}")
            time.sleep(0.02)
        yield origin
    finally:
        process.stop(signal.SIGTERM, PATIENCE_SECONDS)


@dataclass(frozen=True)
class Place:
    """An API, a dashboard that calls it, and a browser."""

    mode: str
    service: Service
    origin: str
    browser: Browser
    # Those with the browser's own clock, and those with one that a test moves.
    _kept: dict[bool, list[BrowserContext]] = field(default_factory=lambda: {False: [], True: []})
    entrance: ClassVar[str] = "/login"
    # Forgets who is there; tells whether nothing of them is left.
    leave: ClassVar[str] = _LEAVE

    @property
    def api(self) -> str:
        return self.service.gunicorn.url

    @contextmanager
    def visitor(self) -> Iterator["Visitor"]:
        """Somebody with a browser of their own."""
        context = self._new_context()
        try:
            yield Visitor(self, context)
        finally:
            context.close()

    @contextmanager
    def next_visitor(self, *, moves_clock: bool = False) -> Iterator["Visitor"]:
        """Somebody at a browser whose last user has logged out, with the dashboard before them.

        Its page is loaded but once: what is not about a load needs none. A clock that was moved
        goes on from there.
        """
        kept = self._kept[moves_clock]
        if not kept:
            context = self._new_context()
            page = context.new_page()
            if moves_clock:
                context.clock.install()
            page.goto(f"{self.origin}{self.entrance}")
            page.locator("h1").wait_for()
            kept.append(context)
        context = kept.pop()
        visitor = Visitor(self, context)
        try:
            yield visitor
        finally:
            if visitor.leave():
                kept.append(context)
            else:
                context.close()

    def close(self) -> None:
        """Close the windows: a service that ends waits for the connections that they keep."""
        for contexts in self._kept.values():
            while contexts:
                contexts.pop().close()

    def _new_context(self) -> BrowserContext:
        context = self.browser.new_context(
            locale="en-GB", timezone_id=ZONE, viewport=WINDOW, reduced_motion="reduce"
        )
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        context.add_init_script(_WITHOUT_BLUR)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=self.origin)
        return context

    def call(self, method: str, path: str, *, token: str | None = None, **options: Any) -> Any:
        """The data of an answer to a program, which must be a success."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.service.client.request(method, path, headers=headers, **options)
        assert answer.is_success, answer.text
        return answer.json()["data"] if answer.content else None

    def authorize(self, key: str, **query: Any) -> int:
        """What a gateway is told of a key."""
        answer: httpx.Response = self.service.client.get(
            "/api/v1/authorize", params=query, headers={"X-API-Key": key}
        )
        return answer.status_code

    def mail_to(self, email: str, subject: str) -> Mail:
        """Wait for a mail with these words in its subject."""
        instance = Path(self.service.installation.environment["RAGAUTH_INSTANCE_DIR"])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            mails = [read_mail(file.read_bytes()) for file in (instance / "outbox").glob("*.eml")]
            for mail in mails:
                if mail.to == email and subject in mail.subject:
                    return mail
            assert time.monotonic() < deadline, [(mail.to, mail.subject) for mail in mails]
            time.sleep(0.02)


class Visitor:
    """What somebody does, and what their browser's tabs sent and complained of."""

    def __init__(self, place: Place, context: BrowserContext) -> None:
        self.place = place
        self.context = context
        self.email = f"visitor{next(_numbers)}@example.com"
        self.has_mouse = False
        self.complaints: list[str] = []
        self._requests: list[str] | None = None
        self._listeners: dict[Any, Any] = {}
        self._listen("console", self._hear)
        self._listen("weberror", lambda error: self.complaints.append(str(error.error)))
        self.page = context.pages[0] if context.pages else self.open_tab()

    def _listen(self, event: Any, hear: Any) -> None:
        self._listeners[event] = hear
        self.context.on(event, hear)

    def note_requests(self) -> None:
        """Note where each request of the tabs goes, from now on.

        Not by itself: to be told of a request takes longer than all else that a test does with it.
        """
        self._requests = noted = []
        self._listen("request", lambda request: noted.append(request.url))

    @property
    def requests(self) -> list[str]:
        """Where each request went since they are noted."""
        assert self._requests is not None
        return self._requests

    def leave(self) -> bool:
        """Log out and take nothing along; returns whether somebody else may take the browser."""
        for event, hear in self._listeners.items():
            self.context.remove_listener(event, hear)
        for tab in self.context.pages[1:]:
            tab.close()
        if not self._is_at_dashboard():
            return False
        self.page.unroute_all(behavior="ignoreErrors")
        self.context.clear_cookies()
        # Over a chart it would bring up what stands there.
        self.page.mouse.move(0, 0)
        is_left: bool = self.page.evaluate(self.place.leave)
        return is_left

    def _is_at_dashboard(self) -> bool:
        return self.page.url.startswith(f"{self.place.origin}/")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} {message.location}")

    def open_tab(self) -> Page:
        return self.context.new_page()

    def go(self, path: str, page: Page | None = None) -> None:
        (page or self.page).goto(f"{self.place.origin}{path}")

    def open(self, path: str) -> None:
        """Go to an entry of the navigation, which an open dialog covers."""
        if self.dialog.count():
            self.show(path)
        else:
            self.click(self.page.locator(f"nav a[href='{path}']"))

    def follow(self, name: str) -> None:
        """Press an entry of the navigation."""
        self.click(self.page.get_by_role("navigation").get_by_role("link", name=name))
        self.see_heading(name)

    def see_heading(self, name: str | re.Pattern[str], page: Page | None = None) -> None:
        expect((page or self.page).get_by_role("heading", name=name, level=1)).to_be_visible()

    def press(self, name: str, within: Locator | None = None) -> None:
        self.click((within or self.page).get_by_role("button", name=name, exact=True))

    def click(self, target: Locator) -> None:
        if self.has_mouse:
            target.click()
        else:
            click(target)

    def fill(self, within: Locator | None = None, **values: str) -> None:
        """Fill in fields, by name."""
        for name, value in values.items():
            field = (within or self.page).locator(f"[name={name}]")
            (fill_slowly if self.has_mouse else fill)(field, value)

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def stored_key(self) -> str:
        """Copy the key that is shown once, and close what shows it."""
        shown = self.page.locator(".key-once code").inner_text()
        self.press("Copy", self.page.locator(".key-once"))
        expect(self.page.get_by_role("button", name="Copied")).to_be_visible()
        assert self.page.evaluate("navigator.clipboard.readText()") == shown
        return shown

    def show(self, path: str) -> None:
        """Go to a view as a link of the page does, without loading the page again."""
        if self._is_at_dashboard():
            self.page.evaluate(_SHOW, path)
        else:
            self.go(path)

    def sign_up(self, path: str = "/") -> str:
        """A new account, as the page's form makes one; ends on a view. Returns its key."""
        if not self._is_at_dashboard():
            self.go("/login")
            self.see_heading("Welcome back")
        body = {"email": self.email, "password": PASSWORD}
        key: str = self.page.evaluate(_SIGN_UP, [body, path])
        self.see_heading(VIEWS[path])
        return key

    def sign_up_by_the_form(self) -> str:
        self.show("/signup")
        self.fill(email=self.email, password=PASSWORD)
        self.press("Create account")
        self.see_heading("Your API key")
        key = self.stored_key()
        self.press("I have stored it. Go on")
        self.see_heading("Usage")
        return key

    def api_token(self) -> str:
        """An access token of another session, to look at the account past the dashboard."""
        body = {"email": self.email, "password": PASSWORD}
        token: str = self.place.call("POST", "/api/auth/login", json=body)["token"]
        return token

    def log_in(self, password: str = PASSWORD) -> None:
        """Fill in the first step."""
        self.fill(login=self.email, password=password)
        self.press("Log in")

    def count(self, path: str) -> int:
        """How many noted requests went to a path of the API; preflights are not seen here."""
        return self.requests.count(f"{self.place.api}{path}")

    def see_notice(self, text: str) -> None:
        expect(self.page.locator("#notices .notice", has_text=text)).to_be_visible()

    def dismiss_notices(self) -> None:
        """Press what lies at the edge of the window away; it would go by itself, seconds later."""
        dismiss = self.page.get_by_role("button", name="Dismiss")
        for _ in range(dismiss.count()):
            self.click(dismiss.first)
        expect(dismiss).to_have_count(0)
