"""The service in Starlette: a middleware in front of all routes."""

from typing import Any

from ragauth_client import AsyncClient, Question
from ragauth_client.asgi import RequireKey
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route


def _question(scope: Any) -> Question:
    match scope["path"].split("/"):
        case ["", "agents", agent_id, "query"]:
            return {"agent_id": agent_id, "scope": "query"}
        case ["", "answers"]:
            return {"reserve": {"tokens": 100}}
        case ["", "documents"]:
            return {"scope": "ingest"}
    return {}


def make_app(ragauth: AsyncClient) -> Starlette:
    async def ingest(request: Request) -> Response:
        caller = request.state.ragauth
        return JSONResponse({"account": caller.account_id, "unchecked": caller.is_unchecked})

    async def query(request: Request) -> Response:
        return JSONResponse({"agent": request.path_params["agent_id"]}, 201)

    async def answers(request: Request) -> Response:
        async with ragauth.settling(request.state.ragauth) as work:
            work.add("tokens", 5)
            if "X-Fail" in request.headers:
                raise RuntimeError("the model failed")
            work.add("tokens", 7)
        return PlainTextResponse("You asked")

    async def late(request: Request) -> Response:
        async with ragauth.reserve("none", {"tokens": 1}):
            return PlainTextResponse("never")

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok")

    agents = Mount("/agents", routes=[Route("/{agent_id}/query", query, methods=["POST"])])
    return Starlette(
        routes=[
            Route("/documents", ingest, methods=["POST"]),
            agents,
            Route("/answers", answers, methods=["POST"]),
            Route("/late", late, methods=["POST"]),
            Route("/healthz", healthz),
        ],
        middleware=[
            Middleware(RequireKey, client=ragauth, ask=_question, public=["/healthz"]),
        ],
    )
