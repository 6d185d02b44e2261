"""ASGI: a middleware for Starlette, FastAPI and any other application that speaks it."""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, Unpack

from ragauth_client import gate
from ragauth_client.client import AsyncClient
from ragauth_client.errors import Refused
from ragauth_client.fields import Question
from ragauth_client.models import Verdict

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Ask = Callable[[Scope], Question]

_KEY = "ragauth"
_ANSWER_EXTENSION = "websocket.http.response"
_POLICY_VIOLATION = 1008


class RelayRefusals:
    """Relays what a view, or a dependency, raises as Refused; tells callers what they have left.

    For applications whose routes ask one by one (`ragauth_client.fastapi`).
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        has_begun = False

        async def send_with_limits(message: Message) -> None:
            nonlocal has_begun
            if message["type"] in ("http.response.start", "websocket.accept"):
                has_begun = True
                verdict = state.get(_KEY)
                if verdict is not None:
                    _add_headers(message, verdict)
            await send(message)

        try:
            await self.answer(scope, receive, send_with_limits)
        except Refused as refused:
            # Too late to be told: the server ends the connection.
            if has_begun:
                raise
            await _relay(refused.verdict, scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or hold a conversation; may raise Refused before it begins."""
        await self.app(scope, receive, send)


class RequireKey(RelayRefusals):
    """Lets in only requests, and websockets, with a key that may do what is asked.

    `public` names paths of the application that need no key, with all that is below them. `ask`
    gets the scope of a request and returns what else is asked. The verdict is in the scope's state:
    `request.state.ragauth` in Starlette and FastAPI. Put a middleware for CORS around it: a
    preflight request has no key.
    """

    def __init__(
        self,
        app: App,
        client: AsyncClient,
        ask: Ask | None = None,
        public: Collection[str] = (),
        **question: Unpack[Question],
    ) -> None:
        if isinstance(public, str):
            raise TypeError("public is a list of paths")
        super().__init__(app)
        self._client = client
        self._ask = ask
        self._public = public
        self._question = question

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not gate.is_below(_path_in_app(scope), self._public):
            asked = gate.merged(self._question, self._ask, scope)
            await require_key(self._client, scope, asked)
        await self.app(scope, receive, send)


async def require_key(client: AsyncClient, scope: Scope, question: Question) -> Verdict:
    """The verdict on the key of a request; raises Refused unless the key may do it."""
    verdict = await client.check(_presented(scope), **question)
    if not verdict.valid:
        raise Refused(verdict)
    scope.setdefault("state", {})[_KEY] = verdict
    return verdict


def _path_in_app(scope: Scope) -> str:
    """The path as the application's own routes have it, whatever it is mounted below."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _presented(scope: Scope) -> gate.Presented:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        text, key = value.decode("latin-1"), name.decode("latin-1").lower()
        # As a server of WSGI joins them: two credentials are none.
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    client = scope.get("client")
    return gate.Presented.of(headers.get, client[0] if client else None)


def _add_headers(message: Message, verdict: Verdict) -> None:
    headers = list(message.get("headers", ()))
    there = {name.lower() for name, _ in headers}
    added = [pair for pair in _encoded(verdict.headers.items()) if pair[0] not in there]
    message["headers"] = [*headers, *added]


def _encoded(headers: Any) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


async def _relay(verdict: Verdict, scope: Scope, receive: Receive, send: Send) -> None:
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        if _ANSWER_EXTENSION not in scope.get("extensions", {}):
            # All that the server can tell then is 403.
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        kind = _ANSWER_EXTENSION
    content = verdict.content
    headers = {**gate.relayed_headers(verdict), "Content-Length": str(len(content))}
    start = {"status": verdict.status, "headers": _encoded(headers.items())}
    await send({"type": f"{kind}.start", **start})
    await send({"type": f"{kind}.body", "body": content})
