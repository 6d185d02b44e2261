"""Flask: `require_key` in front of a view."""

import functools
from collections.abc import Callable
from typing import Any, Unpack

from flask import Request, Response, current_app, g, make_response, request

from ragauth_client import gate
from ragauth_client.client import Client
from ragauth_client.errors import Refused
from ragauth_client.fields import Question
from ragauth_client.models import Verdict

View = Callable[..., Any]
Ask = Callable[[Request], Question]


def require_key(
    client: Client, ask: Ask | None = None, /, **question: Unpack[Question]
) -> Callable[[View], View]:
    """Let a view answer only requests with a key that may do what is asked.

    `ask` gets the request and returns what else is asked: an agent from the path, amounts from the
    body. `current_verdict()` tells the view whose key it is. Put it below `route`, nearer the view.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Response:
            presented = gate.Presented.of(request.headers.get, request.remote_addr)
            asked = gate.merged(question, ask, request)
            verdict = client.check(presented, **asked)
            if not verdict.valid:
                return _relay(verdict)
            g.ragauth_verdict = verdict
            try:
                response = make_response(current_app.ensure_sync(view)(*args, **kwargs))
            except Refused as refused:
                return _relay(refused.verdict)
            for name, value in verdict.headers.items():
                response.headers.setdefault(name, value)
            return response

        return guarded

    return decorate


def current_verdict() -> Verdict:
    """The verdict on the key of the present request, behind `require_key`."""
    verdict: Verdict = g.ragauth_verdict
    return verdict


def _relay(verdict: Verdict) -> Response:
    return Response(verdict.content, verdict.status, dict(gate.relayed_headers(verdict)))
