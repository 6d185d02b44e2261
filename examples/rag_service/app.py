"""A sample RAG service whose requests are authorised by ragauth.

Behind a gateway that asks ragauth for each request (examples/gateways):

    RAG_SERVICE_BEHIND_GATEWAY=true python examples/rag_service/app.py

Without a gateway it asks ragauth itself, with a service key that has the scope `verify`
(`flask --app wsgi service-keys create --name rag --scope verify`):

    RAGAUTH_URL=http://127.0.0.1:8000 RAGAUTH_SERVICE_KEY=rag_svc_... \\
        python examples/rag_service/app.py

Without RAGAUTH_URL it asks 127.0.0.1, at PORT as for `make run`. It listens on 127.0.0.1, on
SERVICE_PORT (9000). For more than a try, any WSGI server serves `app:app`. README.md tells what
it does.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import model
from flask import Flask, Response, jsonify, request
from identity import Identity, Refused, envelope, from_gateway, from_ragauth
from metering import METER, Reservation
from service_api import Ragauth
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

BEHIND_GATEWAY = os.environ.get("RAG_SERVICE_BEHIND_GATEWAY") == "true"
RAGAUTH_URL = os.environ.get("RAGAUTH_URL") or f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
SERVICE_KEY = os.environ.get("RAGAUTH_SERVICE_KEY", "")
ASKS_RAGAUTH = bool(SERVICE_KEY)
if BEHIND_GATEWAY == ASKS_RAGAUTH:
    sys.exit("set RAG_SERVICE_BEHIND_GATEWAY=true, or RAGAUTH_SERVICE_KEY, but not both")

RAGAUTH = Ragauth(RAGAUTH_URL, SERVICE_KEY)
MOST_TOKENS = 4000

app = Flask(__name__)


def caller(scope: str, agent_id: str | None = None) -> Identity:
    """Who asks; raises Refused unless they may do this."""
    if BEHIND_GATEWAY:
        return from_gateway(request, scope=scope, agent_id=agent_id)
    return from_ragauth(RAGAUTH, request, scope=scope, agent_id=agent_id)


@app.post("/agents/<agent_id>/query")
def query(agent_id: str) -> dict[str, Any]:
    """Answer a question from what the agent knows. A sample knows nothing: it repeats it."""
    who = caller("query", agent_id)
    question = _body().get("message")
    return {"data": {"answer": f"You asked: {question}", "agent_id": agent_id, **who.as_dict()}}


@app.post("/agents/<agent_id>/query/stream")
def stream(agent_id: str) -> Response:
    """Answer token by token, as server-sent events; needs a ragauth that meters `tokens`.

    How long the answer will be is not known before: what it may use at most is reserved, so that
    it is refused before it begins, and settled by what it has used.
    """
    if BEHIND_GATEWAY:
        raise Refused(404, envelope("NOT_FOUND", "Behind a gateway this sample streams nothing"))
    question, most = str(_body().get("message")), _most_tokens()
    tokens = model.count_tokens(question)
    asked = {"scope": "query", "agent_id": agent_id, "reserve": {METER: tokens + most}}
    who = from_ragauth(RAGAUTH, request, **asked)
    reservation = Reservation(RAGAUTH, who.reservation_id, used=tokens)
    answer = Response(_events(question, most, reservation), mimetype="text/event-stream")
    # Called however it ends: the client has hung up, or the model has failed.
    answer.call_on_close(reservation.settle)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _events(question: str, most: int, reservation: Reservation) -> Iterator[str]:
    for _, token in zip(range(most), model.generate(question), strict=False):
        reservation.used += 1
        yield f"data: {json.dumps({'token': token})}\n\n"
    reservation.settle()
    yield f"event: done\ndata: {json.dumps({METER: reservation.used})}\n\n"


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _most_tokens() -> int:
    most = _body().get("max_tokens", MOST_TOKENS)
    if type(most) is not int or not 1 <= most <= MOST_TOKENS:
        message = f"max_tokens must be a whole number from 1 to {MOST_TOKENS}"
        raise Refused(400, envelope("VALIDATION_ERROR", message))
    return most


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
