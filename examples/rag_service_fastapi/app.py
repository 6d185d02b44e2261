"""A sample RAG service in FastAPI whose requests are authorised by ragauth.

    RAGAUTH_URL=http://127.0.0.1:8000 RAGAUTH_SERVICE_KEY=rag_svc_... \\
        uvicorn --app-dir examples/rag_service_fastapi --port 9000 app:app

README.md tells what it needs and what it does.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from ragauth_client import AsyncClient, AsyncReservation, Question, Verdict
from ragauth_client.fastapi import RelayRefusals, require_key
from starlette.requests import HTTPConnection

RAGAUTH_URL = os.environ.get("RAGAUTH_URL") or "http://127.0.0.1:8000"
SERVICE_KEY = os.environ.get("RAGAUTH_SERVICE_KEY") or sys.exit("set RAGAUTH_SERVICE_KEY")
MOST_TOKENS = 4000
TOKEN_SECONDS = 0.02

ragauth = AsyncClient(RAGAUTH_URL, SERVICE_KEY)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with ragauth:
        yield


app = FastAPI(title="A sample RAG service", lifespan=lifespan)
app.add_middleware(RelayRefusals)


class Asked(BaseModel):
    message: str
    max_tokens: int = Field(MOST_TOKENS, ge=1, le=MOST_TOKENS)


def agent_in_path(request: HTTPConnection) -> Question:
    return {"agent_id": request.path_params["agent_id"]}


MayQuery = Depends(require_key(ragauth, agent_in_path, scope="query"))
MayIngest = Depends(require_key(ragauth, scope="ingest"))


@app.post("/agents/{agent_id}/query")
async def query(
    agent_id: str, asked: Asked, caller: Annotated[Verdict, MayQuery]
) -> dict[str, Any]:
    """Answer a question from what the agent knows. A sample knows nothing: it repeats it."""
    answer = f"You asked: {asked.message}"
    return {"data": {"answer": answer, "agent_id": agent_id, "account_id": caller.account_id}}


@app.post("/documents")
async def ingest(request: Request, caller: Annotated[Verdict, MayIngest]) -> dict[str, Any]:
    """Take a document in; tells its size."""
    return {"data": {"bytes": len(await request.body()), "account_id": caller.account_id}}


async def reserved(
    agent_id: str, asked: Asked, request: Request
) -> AsyncIterator[AsyncReservation]:
    """Reserve the most that an answer may use; settle when it is sent, or its caller is gone."""
    tokens = len(asked.message.split())
    most = {"tokens": tokens + asked.max_tokens}
    require = require_key(ragauth, scope="query", agent_id=agent_id, reserve=most)
    async with ragauth.settling(await require(request)) as work:
        work.add("tokens", tokens)
        yield work


@app.post("/agents/{agent_id}/query/stream")
async def stream(
    asked: Asked, work: Annotated[AsyncReservation, Depends(reserved)]
) -> StreamingResponse:
    """Answer token by token, as server-sent events; needs a ragauth that meters `tokens`."""

    async def events() -> AsyncIterator[str]:
        async for token in generate(asked.message, asked.max_tokens):
            work.add("tokens")
            yield f"data: {json.dumps({'token': token})}\n\n"
        yield f"event: done\ndata: {json.dumps(work.used)}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def generate(question: str, most: int) -> AsyncIterator[str]:
    """In the place of a language model: repeats the question, a token at a time."""
    for token in ("You", "asked:", *question.split())[:most]:
        await asyncio.sleep(TOKEN_SECONDS)
        yield token


@app.get("/healthz")
async def healthz() -> dict[str, Any]:
    return {"data": {"status": "ok"}}
