"""A sample RAG service whose requests are authorised by ragauth.

Behind a gateway that asks ragauth for each request (examples/gateways):

    RAG_SERVICE_BEHIND_GATEWAY=true python examples/rag_service/app.py

Without a gateway it asks ragauth itself, with a service key that has the scope `verify`
(`flask --app wsgi service-keys create --name rag --scope verify`):

    RAGAUTH_URL=http://127.0.0.1:8000 RAGAUTH_SERVICE_KEY=rag_svc_... \\
        python examples/rag_service/app.py

Without RAGAUTH_URL it asks 127.0.0.1, at PORT as for `make run`. It listens on 127.0.0.1, on
SERVICE_PORT (9000). For more than a try, any WSGI server serves `app:app`.
"""

import os
import socket
import sys
from typing import Any

from flask import Flask, Response, jsonify, request
from identity import Identity, Refused, envelope, from_gateway, from_ragauth
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

BEHIND_GATEWAY = os.environ.get("RAG_SERVICE_BEHIND_GATEWAY") == "true"
RAGAUTH_URL = os.environ.get("RAGAUTH_URL") or f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
SERVICE_KEY = os.environ.get("RAGAUTH_SERVICE_KEY", "")
ASKS_RAGAUTH = bool(SERVICE_KEY)
if BEHIND_GATEWAY == ASKS_RAGAUTH:
    sys.exit("set RAG_SERVICE_BEHIND_GATEWAY=true, or RAGAUTH_SERVICE_KEY, but not both")

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


def main() -> None:
    text = os.environ.get("SERVICE_PORT") or "9000"
    try:
        with socket.create_server(("127.0.0.1", int(text))) as listener:
            server = make_server("127.0.0.1", int(text), app, threaded=True, fd=listener.fileno())
    except (ValueError, OverflowError, OSError):
        sys.exit(
            f"127.0.0.1:{text} cannot be served: no port, or taken by another program."
            " SERVICE_PORT chooses another"
        )
    print(f"The sample service is at http://127.0.0.1:{text} (Ctrl-C ends it)", flush=True)  # noqa: T201
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
