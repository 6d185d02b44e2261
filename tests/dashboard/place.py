"""Where the dashboard's tests take place: the API, the dashboard on its own origin, a visitor."""

import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.e2e.service import PASSWORD, Service
from tests.factories.mails import Mail, read_mail
from tests.servers.gunicorn import PROJECT_ROOT
from tests.servers.processes import ServerProcess

DASHBOARD = PROJECT_ROOT / "examples" / "dashboard"
_PATIENCE_SECONDS = 20
expect.set_options(timeout=_PATIENCE_SECONDS * 1000)

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
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while "Ctrl-C" not in process.log():
            if process.exit_code() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the dashboard is not served:\n{process.log()}")
            time.sleep(0.02)
        yield origin
    finally:
        process.stop(signal.SIGTERM, _PATIENCE_SECONDS)


@dataclass(frozen=True)
class Place:
    """An API, a dashboard that calls it, and a browser."""

    mode: str
    service: Service
    origin: str
    browser: Browser

    @property
    def api(self) -> str:
        return self.service.gunicorn.url

    @contextmanager
    def visitor(self, **options: Any) -> Iterator["Visitor"]:
        """Somebody with a browser of their own."""
        context = self.browser.new_context(locale="en-GB", reduced_motion="reduce", **options)
        context.set_default_timeout(_PATIENCE_SECONDS * 1000)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=self.origin)
        try:
            yield Visitor(self, context)
        finally:
            context.close()

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
        deadline = time.monotonic() + _PATIENCE_SECONDS
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
        self.complaints: list[str] = []
        self.requests: list[str] = []
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.page = self.open_tab()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} {message.location}")

    def open_tab(self) -> Page:
        return self.context.new_page()

    def go(self, path: str, page: Page | None = None) -> None:
        (page or self.page).goto(f"{self.place.origin}{path}")

    def open(self, path: str) -> None:
        """Go to an entry of the navigation; the page is loaded anew only under an open dialog."""
        if self.dialog.count():
            self.go(path)
        else:
            self.page.locator(f"nav a[href='{path}']").click()

    def follow(self, name: str) -> None:
        """Press an entry of the navigation."""
        self.page.get_by_role("navigation").get_by_role("link", name=name).click()
        self.see_heading(name)

    def see_heading(self, name: str | re.Pattern[str], page: Page | None = None) -> None:
        expect((page or self.page).get_by_role("heading", name=name, level=1)).to_be_visible()

    def press(self, name: str, within: Locator | None = None) -> None:
        (within or self.page).get_by_role("button", name=name, exact=True).click()

    def fill(self, within: Locator | None = None, **values: str) -> None:
        """Fill in fields, by name."""
        for name, value in values.items():
            field = (within or self.page).locator(f"[name={name}]")
            if field.evaluate("element => element.tagName") == "SELECT":
                field.select_option(label=value)
            else:
                field.fill(value)

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

    def sign_up(self) -> str:
        """A new account; ends on the first view. Returns the first key."""
        self.go("/signup")
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
        """How many requests went to a path of the API so far; preflights are not seen here."""
        return self.requests.count(f"{self.place.api}{path}")

    def see_notice(self, text: str) -> None:
        expect(self.page.locator("#notices .notice", has_text=text)).to_be_visible()
