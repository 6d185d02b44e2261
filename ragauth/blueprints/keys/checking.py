"""The check of a key: for a gateway (`authorize`) and for a service (`keys/verify`).

The gate in front of the application answers the plain cases of both; see `ragauth.web.check.gate`.
"""

from typing import Any

from flask import Response, request

from ragauth.blueprints.keys.blueprint import check
from ragauth.errors import (
    InsufficientScope,
    InvalidRequest,
    RateLimitExceeded,
    UsageLimitExceeded,
    WrongAgent,
)
from ragauth.extensions import current_policy
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.checks import AuthorizeQuery, VerdictSchema, VerifySchema
from ragauth.security.scopes import VERIFY
from ragauth.services.keys.check import current_checker
from ragauth.web.check.answers import (
    IDENTITY_HEADERS,
    RESERVATION_HEADER,
    authorize_answer,
    verify_body,
)
from ragauth.web.check.questions import authorize_question, verify_question
from ragauth.web.endpoint import declared, endpoint
from ragauth.web.guards import current_key, customer_key, service_key
from ragauth.web.paths import ANY_METHOD

TAG = "Key check"


@check.route("/authorize", defaults={"path": ""}, methods=ANY_METHOD)
@check.route("/authorize/<path:path>", methods=ANY_METHOD)
@declared(
    guard=customer_key,
    query=AuthorizeQuery,
    errors=(WrongAgent, InsufficientScope, RateLimitExceeded, UsageLimitExceeded),
    headers={
        **IDENTITY_HEADERS,
        RESERVATION_HEADER: "What to settle the reservation with; empty for none.",
    },
    disguised={403: (RateLimitExceeded, UsageLimitExceeded)},
)
def authorize(path: str) -> Response:  # noqa: ARG001 - a gateway appends its client's path
    """Whether the request that a gateway holds back may pass; never reads the body.

    For nginx `auth_request`, Traefik ForwardAuth, Caddy `forward_auth` and Envoy ext_authz: any
    method, on this path and on any path below it. Allowed is 200 without a body, and who the key
    belongs to in the headers. With `on_limit=403` a limit refuses with 403, all that nginx knows
    beside 401, and `X-Ragauth-Status` tells the 429 that the client should see. Other query
    parameters than these are the client's, and left alone.
    """
    presented_key = current_key()
    try:
        question, limit_status = authorize_question(request.environ, current_policy())
    except InvalidRequest:
        # A key comes first, here too: who has none is told that, not what else is wrong.
        customer_key()
        raise
    verdict = current_checker().check(presented_key, question)
    answer = authorize_answer(verdict, current_policy(), limit_status=limit_status)
    return Response(answer.body, answer.status, answer.headers)


@check.post("/keys/verify")
@endpoint(guard=service_key(VERIFY), body=VerifySchema, data=VerdictSchema)
def verify_key(caller: KeyFacts, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Whether a key that was presented to the calling service may do what is asked."""
    verdict = current_checker().check(body["key"], verify_question(body))
    return verify_body(verdict, current_policy())
