"""What the ASGI middleware does beside answering requests: websockets, the start, public paths."""

from collections.abc import Callable
from typing import Any

import pytest
from ragauth_client import AsyncClient, Refused, Verdict
from ragauth_client.asgi import RelayRefusals, RequireKey

from tests.cases import for_each
from tests.clients_python.conftest import Vendor
from tests.e2e.service import User
from tests.loops import run_beside

CONNECT = {"type": "websocket.connect"}


def talk(
    make_app: Callable[[AsyncClient], Any], vendor: Vendor, scope: dict[str, Any], key: str = ""
) -> list[dict[str, Any]]:
    """What the application sends for a scope."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return CONNECT

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        async with AsyncClient(vendor.url, vendor.service_key) as client:
            headers = [(b"x-api-key", key.encode())] if key else []
            await make_app(client)({"headers": headers, "path": "/", **scope}, receive, send)

    run_beside(run())
    return sent


async def accepts(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def answers(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def guarded(app: Any, **options: Any) -> Callable[[AsyncClient], Any]:
    return lambda client: RequireKey(app, client, **options)


class TestWebsockets:
    def test_one_with_a_key_opens_and_is_told_what_is_left(
        self, vendor: Vendor, customer: User
    ) -> None:
        (message,) = talk(guarded(accepts), vendor, {"type": "websocket"}, customer.api_key)
        assert message["type"] == "websocket.accept"
        assert {name for name, _ in message["headers"]} == {b"ratelimit", b"ratelimit-policy"}

    def test_one_without_a_key_does_not_open(self, vendor: Vendor) -> None:
        sent = talk(guarded(accepts), vendor, {"type": "websocket"})
        assert sent == [{"type": "websocket.close", "code": 1008}]

    def test_where_the_server_can_it_is_told_why(self, vendor: Vendor) -> None:
        scope = {"type": "websocket", "extensions": {"websocket.http.response": {}}}
        start, body = talk(guarded(accepts), vendor, scope)
        assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
        assert dict(start["headers"])[b"www-authenticate"] == b'Bearer realm="ragauth"'
        assert b'"missing"' in body["body"]


class TestPaths:
    @for_each(
        ("path", "status"),
        [
            *(("/healthz", 200), ("/healthz/live", 200), ("/docs/", 200), ("/docs/a", 200)),
            *(("/healthzz", 401), ("/", 401), ("", 401), ("/a/healthz", 401), ("//healthz", 401)),
        ],
    )
    def test_what_is_public_and_below_it(self, vendor: Vendor, path: str, status: int) -> None:
        app = guarded(answers, public=["/healthz", "/docs/"])
        assert talk(app, vendor, {"type": "http", "path": path})[0]["status"] == status

    @for_each("path", ["/healthz/../a", "/healthz/x/../../a", "/healthz/..", "/docs/..\\a"])
    def test_one_that_goes_up_is_below_none(self, vendor: Vendor, path: str) -> None:
        """An application that serves files finds another one under it."""
        app = guarded(answers, public=["/healthz", "/docs/"])
        assert talk(app, vendor, {"type": "http", "path": path})[0]["status"] == 401

    @for_each(
        ("root", "path", "status"),
        [
            *(("/api", "/api/healthz", 200), ("/api", "/healthz", 200)),
            *(("/healthz", "/healthz/a", 401), ("/api", "/apiary/healthz", 401)),
        ],
    )
    def test_they_are_of_the_application_itself(
        self, vendor: Vendor, root: str, path: str, status: int
    ) -> None:
        scope = {"type": "http", "root_path": root, "path": path}
        assert talk(guarded(answers, public=["/healthz"]), vendor, scope)[0]["status"] == status

    def test_one_text_is_no_list_of_paths(self, vendor: Vendor) -> None:
        with pytest.raises(TypeError, match="list of paths"):
            talk(guarded(answers, public="/healthz"), vendor, {"type": "http"})


def test_a_question_that_was_forgotten_is_an_error(vendor: Vendor, customer: User) -> None:
    forgotten: Any = lambda _scope: None  # noqa: E731
    with pytest.raises(TypeError):
        talk(guarded(answers, ask=forgotten), vendor, {"type": "http"}, customer.api_key)


class TestPassesOn:
    def test_the_start_and_the_end_of_the_application(self, vendor: Vendor) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "lifespan.startup.complete"})

        for make_app in (guarded(app), lambda _client: RelayRefusals(app)):
            sent = talk(make_app, vendor, {"type": "lifespan"})
            assert sent == [{"type": "lifespan.startup.complete"}]

    def test_a_refusal_that_comes_too_late_to_be_told(self, vendor: Vendor) -> None:
        verdict = Verdict.refusal(429, "RATE_LIMIT_EXCEEDED", "Too many", headers={})

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await answers(scope, receive, send)
            raise Refused(verdict)

        with pytest.raises(Refused):
            talk(lambda _client: RelayRefusals(app), vendor, {"type": "http"})
