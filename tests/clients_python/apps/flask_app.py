"""The service in Flask: a decorator in front of each view."""

from typing import Any

from flask import Flask, request
from ragauth_client import Client
from ragauth_client.flask import current_verdict, require_key


def make_app(ragauth: Client) -> Flask:
    app = Flask(__name__)

    @app.post("/documents")
    @require_key(ragauth, scope="ingest")
    def ingest() -> dict[str, Any]:
        caller = current_verdict()
        return {"account": caller.account_id, "unchecked": caller.is_unchecked}

    @app.post("/agents/<agent_id>/query")
    @require_key(ragauth, lambda asked: {"agent_id": asked.view_args["agent_id"]}, scope="query")
    def query(agent_id: str) -> tuple[dict[str, Any], int]:
        return {"agent": agent_id}, 201

    @app.post("/answers")
    @require_key(ragauth, reserve={"tokens": 100})
    def answers() -> str:
        with ragauth.settling(current_verdict()) as work:
            work.add("tokens", 5)
            if "X-Fail" in request.headers:
                raise RuntimeError("the model failed")
            work.add("tokens", 7)
        return "You asked"

    @app.post("/late")
    @require_key(ragauth)
    def late() -> str:
        with ragauth.reserve("none", {"tokens": 1}):
            return "never"

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    return app
