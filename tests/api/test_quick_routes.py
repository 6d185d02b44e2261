"""Quick routes: which ones the polling thread may answer, and how it leaves one to the pool."""

from typing import Any

import pytest
import time_machine
from flask import Flask

from ragauth import clock
from ragauth.deadlines import Deadline, WouldWait, current_deadline
from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.reads.sessions import SessionLookup
from ragauth.web import quick_routes
from ragauth.web.around import current_request_id
from ragauth.web.check.login_shedding import MUST_NOT_WAIT
from ragauth.web.quick_routes import is_quick
from tests.cases import for_each
from tests.clients import Client

pytestmark = pytest.mark.usefixtures("patient_poller")

_IN_THE_POLLER = {MUST_NOT_WAIT: True}
LISTS = [
    "/api/auth/api-keys",
    "/api/auth/events",
    "/api/auth/usage",
    "/api/auth/sessions",
    "/api/agents",
]
QUICK = ["/healthz", "/api/auth/me", "/api/v1/me", "/nothing", "/api/auth/nothing", *LISTS]
SLOW = [
    "/readyz",
    "/metrics",
    "/api/auth/api-keys/",
    "/api/auth/export",
    "/api/auth/api-keys/key_01h455vb4pex5vsknk084sn02q",
    "/api/v1/nothing",
    "/api/v1/internal/accounts",
]


@for_each("path", QUICK)
def test_what_needs_no_thread_is_quick(app: Flask, path: str) -> None:
    assert is_quick(app, "GET", path)


@for_each("path", SLOW)
def test_all_else_has_a_thread(app: Flask, path: str) -> None:
    assert not is_quick(app, "GET", path)


@for_each("method", ["POST", "PATCH", "DELETE", "OPTIONS"])
def test_what_may_change_something_has_a_thread(app: Flask, method: str) -> None:
    assert not any(is_quick(app, method, path) for path in QUICK)


def test_the_paths_of_a_wrapped_or_mounted_application_are_others(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_quick(app.wsgi_app, "GET", "/healthz")

    monkeypatch.setattr(quick_routes, "mounted_at", lambda: "/auth")
    assert not is_quick(app, "GET", "/nothing")


@pytest.mark.both_databases
@for_each("path", ["/api/auth/me", "/api/v1/me", *LISTS])
def test_a_quick_route_asks_by_reads_that_hand_over(
    client: Client, seen: list[Deadline | None], path: str
) -> None:
    member = client.sign_up()
    caller = client if path == "/api/v1/me" else member.client
    headers = {"X-API-Key": member.api_key} if path == "/api/v1/me" else {}
    seen.clear()

    # An answer may tell of a second.
    with time_machine.travel(clock.now(), tick=False):
        # First: the polling thread makes no connection to Postgres.
        in_a_thread = caller.get(path, headers=headers)
        at_leisure = [*seen]
        seen.clear()
        in_the_poller = caller.get(path, headers=headers, environ_overrides=_IN_THE_POLLER)

    assert in_the_poller.status_code == 200
    assert in_the_poller.get_data() == in_a_thread.get_data()
    assert {deadline is not None and deadline.hands_over for deadline in at_leisure} == {False}
    assert {deadline is not None and deadline.hands_over for deadline in seen} == {True}


def test_a_read_that_would_wait_is_no_answer_and_no_line_in_the_log(
    client: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    member = client.sign_up()

    def wait(*_arguments: object) -> None:
        raise WouldWait(has_waited=True)

    with monkeypatch.context() as patched:
        patched.setattr(SessionLookup, "find_session", wait)
        capfd.readouterr()
        with pytest.raises(WouldWait):
            member.client.get("/api/auth/me", environ_overrides=_IN_THE_POLLER)
        assert "/api/auth/me" not in capfd.readouterr().err
        assert current_deadline.get() is None
        assert current_request_id.get() is None

    assert member.client.get("/api/auth/me").status_code == 200
    assert "/api/auth/me" in capfd.readouterr().err


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Deadline | None]:
    """The deadline of each prepared read."""
    deadlines: list[Deadline | None] = []
    read = PreparedReads.read

    def note(self: PreparedReads, sql: str, parameters: dict[str, Any]) -> Any:
        deadlines.append(current_deadline.get())
        return read(self, sql, parameters)

    monkeypatch.setattr(PreparedReads, "read", note)
    return deadlines
