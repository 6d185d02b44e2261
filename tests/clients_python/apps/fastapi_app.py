"""The service in FastAPI: a dependency of each route."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse
from ragauth_client import AsyncClient, Verdict
from ragauth_client.fastapi import RelayRefusals, require_key


def make_app(ragauth: AsyncClient) -> FastAPI:
    app = FastAPI()
    app.add_middleware(RelayRefusals)

    ingester = require_key(ragauth, scope="ingest")

    @app.post("/documents")
    async def ingest(caller: Annotated[Verdict, Depends(ingester)]) -> dict[str, Any]:
        return {"account": caller.account_id, "unchecked": caller.is_unchecked}

    asker = require_key(
        ragauth, lambda asked: {"agent_id": asked.path_params["agent_id"]}, scope="query"
    )

    @app.post("/agents/{agent_id}/query", status_code=201, dependencies=[Depends(asker)])
    async def query(agent_id: str) -> dict[str, Any]:
        return {"agent": agent_id}

    @app.post("/answers")
    async def answers(
        caller: Annotated[Verdict, Depends(require_key(ragauth, reserve={"tokens": 100}))],
        request: Request,
    ) -> PlainTextResponse:
        async with ragauth.settling(caller) as work:
            work.add("tokens", 5)
            if "X-Fail" in request.headers:
                raise RuntimeError("the model failed")
            work.add("tokens", 7)
        return PlainTextResponse("You asked")

    @app.post("/late", dependencies=[Depends(require_key(ragauth))])
    async def late() -> str:
        async with ragauth.reserve("none", {"tokens": 1}):
            return "never"

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    return app
