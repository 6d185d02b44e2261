"""FastAPI: `require_key` as a dependency of routes, with `RelayRefusals` around the application."""

from collections.abc import Awaitable, Callable
from typing import Unpack

from starlette.requests import HTTPConnection

from ragauth_client import asgi, gate
from ragauth_client.asgi import RelayRefusals, RequireKey
from ragauth_client.client import AsyncClient
from ragauth_client.fields import Question
from ragauth_client.models import Verdict

__all__ = ["RelayRefusals", "RequireKey", "require_key"]

Ask = Callable[[HTTPConnection], Question]


def require_key(
    client: AsyncClient, ask: Ask | None = None, /, **question: Unpack[Question]
) -> Callable[[HTTPConnection], Awaitable[Verdict]]:
    """A dependency whose value is the verdict, on requests with a key that may do what is asked.

    `ask` gets the request and returns what else is asked: an agent from the path, for example.
    `app.add_middleware(RelayRefusals)` relays the refusals; without it they are 500,
    also in an application that is mounted in one that has it.
    """

    async def require(connection: HTTPConnection) -> Verdict:
        asked = gate.merged(question, ask, connection)
        return await asgi.require_key(client, connection.scope, asked)

    return require
