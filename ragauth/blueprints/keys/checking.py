"""The check of a key: for a gateway (`authorize`) and for a service (`keys/verify`)."""

from typing import Any

from flask import Response, request

from ragauth.blueprints.keys import check
from ragauth.schemas.checks import AuthorizeQuery, VerdictSchema, VerifySchema
from ragauth.security.scopes import VERIFY
from ragauth.services import key_check
from ragauth.services.key_check import KeyFacts, Question
from ragauth.web import key_answers
from ragauth.web.endpoint import endpoint, load_query
from ragauth.web.envelope import failure
from ragauth.web.guards import current_key, customer_key, service_key

_ANY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")


@check.route("/authorize", defaults={"path": ""}, methods=_ANY_METHOD)
@check.route("/authorize/<path:path>", methods=_ANY_METHOD)
def authorize(path: str) -> Response:  # noqa: ARG001 - a gateway appends its client's path
    """Whether the request that a gateway holds back may pass; never reads the body."""
    presented_key = current_key()
    query = load_query(AuthorizeQuery)
    verdict = key_check.check(
        presented_key=presented_key,
        question=Question(
            scope=query["scope"],
            agent_id=query["agent_id"],
            cost=query["cost"],
            client_ip=request.remote_addr,
            origin=request.headers.get("Origin"),
        ),
    )
    if verdict.refusal is not None:
        response = failure(verdict.refusal)
        response.status_code, headers = key_answers.refusal_status(
            verdict.refusal, query["on_limit"]
        )
        response.headers.update(headers)
        return response
    return Response(status=200, headers=key_answers.identity_headers(verdict.allowed_key()))


authorize.guard = customer_key  # type: ignore[attr-defined]


@check.post("/keys/verify")
@endpoint(guard=service_key(VERIFY), body=VerifySchema, data=VerdictSchema)
def verify(caller: KeyFacts, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Whether a key that was presented to the calling service may do what is asked."""
    presented_key = body.pop("key")
    return key_answers.verdict_body(
        key_check.check(presented_key=presented_key, question=Question(**body))
    )
