"""The header `Idempotency-Key`: a POST that is repeated with it is answered as the first one was.

The rule is by path and method (`takes_idempotency_key`), so a new route has it by itself.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, request

from ragauth.services.operators import idempotent_calls
from ragauth.services.operators.idempotent_calls import Answer, Call
from ragauth.web.envelope import JSON_TYPE
from ragauth.web.guards import current_key
from ragauth.web.json_body import read_body
from ragauth.web.paths import takes_idempotency_key

HEADER = "Idempotency-Key"
#: 1 to 255 printable characters of ASCII.
FORM = "[ -~]{1,255}"

_FORM = re.compile(FORM)
# Optional whitespace around the value of a header (RFC 9110 section 5.6.3).
_BLANKS = " \t"


def header_issues() -> Iterator[dict[str, Any]]:
    """What is wrong with the header of the present request, if it counts."""
    presented = _presented()
    if presented is not None and _FORM.fullmatch(presented) is None:
        yield {"path": [HEADER], "message": "Must be 1 to 255 printable ASCII characters"}


def answer_once(make: Callable[[], Response]) -> Response:
    """Make the answer; for a repetition return that of the first call, byte for byte.

    After the guard: only who holds the key is told an answer again. Before the body is loaded: what
    was valid then may not be now. `make` tells what is wrong with the header.
    """
    presented = _presented()
    if presented is None or _FORM.fullmatch(presented) is None:
        return make()
    answer = idempotent_calls.answer_once(_call(presented), lambda: _in_bytes(make()))
    return Response(answer.body, answer.status, content_type=JSON_TYPE)


def _presented() -> str | None:
    rule = request.url_rule
    if rule is None or not takes_idempotency_key(rule.rule, request.method):
        return None
    presented = request.headers.get(HEADER)
    return None if presented is None else presented.strip(_BLANKS)


def _call(idempotency_key: str) -> Call:
    """The present request. Its path counts as it was routed: with or without a trailing slash."""
    rule, parts = request.url_rule, request.view_args or {}
    return Call(
        presented_key=current_key(),
        idempotency_key=idempotency_key,
        route=(request.method, str(rule), *map(str, parts.values())),
        query=request.query_string,
        body=read_body(),
    )


def _in_bytes(response: Response) -> Answer:
    return Answer(response.status_code, response.get_data())
