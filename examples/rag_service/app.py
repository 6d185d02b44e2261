"""A sample RAG service whose requests are authorised by ragauth.

Behind a gateway that asks ragauth for each request (examples/gateways):

    RAG_SERVICE_BEHIND_GATEWAY=true flask --app examples/rag_service/app.py run --port 9000

Without a gateway it asks ragauth itself, with a service key that has the scope `verify`
(`flask --app wsgi service-keys create --name rag --scope verify`):

    RAGAUTH_URL=http://127.0.0.1:8000 RAGAUTH_SERVICE_KEY=rag_svc_... \\
        flask --app examples/rag_service/app.py run --port 9000
"""

import os
import sys
from typing import Any

from flask import Flask, Response, jsonify, request
from identity import Identity, Refused, envelope, from_gateway, from_ragauth
from werkzeug.exceptions import HTTPException

BEHIND_GATEWAY = os.environ.get("RAG_SERVICE_BEHIND_GATEWAY") == "true"
RAGAUTH_URL = os.environ.get("RAGAUTH_URL", "")
SERVICE_KEY = os.environ.get("RAGAUTH_SERVICE_KEY", "")
ASKS_RAGAUTH = bool(RAGAUTH_URL and SERVICE_KEY)
if BEHIND_GATEWAY == ASKS_RAGAUTH:
    sys.exit("set RAG_SERVICE_BEHIND_GATEWAY=true, or RAGAUTH_URL and RAGAUTH_SERVICE_KEY")

app = Flask(__name__)


def caller(scope: str, agent_id: str | None = None) -> Identity:
    """Who asks; raises Refused unless they may do this."""
    if BEHIND_GATEWAY:
        return from_gateway(request, scope=scope, agent_id=agent_id)
    return from_ragauth(RAGAUTH_URL, SERVICE_KEY, request, scope=scope, agent_id=agent_id)


@app.post("/agents/<agent_id>/query")
def query(agent_id: str) -> dict[str, Any]:
    """Answer a question from what the agent knows. A sample knows nothing: it repeats it."""
    who = caller("query", agent_id)
    question = (request.get_json(silent=True) or {}).get("message")
    return {"data": {"answer": f"You asked: {question}", "agent_id": agent_id, **who.as_dict()}}


@app.post("/documents")
def ingest() -> dict[str, Any]:
    """Take a document in; tells its size."""
    who = caller("ingest")
    return {"data": {"bytes": len(request.get_data()), **who.as_dict()}}


@app.get("/healthz")
def healthz() -> dict[str, Any]:
    return {"data": {"status": "ok"}}


@app.errorhandler(Refused)
def refused(error: Refused) -> Response:
    return app.make_response((jsonify(error.body), error.status, error.headers))


@app.errorhandler(HTTPException)
def not_served(error: HTTPException) -> Response:
    code = "NOT_FOUND" if error.code == 404 else "VALIDATION_ERROR"
    if (error.code or 500) >= 500:
        code = "INTERNAL_ERROR"
    return app.make_response((jsonify(envelope(code, error.name)), error.code or 500))
