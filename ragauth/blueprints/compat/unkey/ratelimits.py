"""Rate limits by a name and an identifier, which have nothing to do with keys."""

from typing import Any

from marshmallow import fields

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.schemas import UnkeySchema
from ragauth.errors import InvalidRequest
from ragauth.models.reads.keys import KeyFacts
from ragauth.policy.limits import LARGEST
from ragauth.policy.windows import LONGEST_MS, SHORTEST_MS
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Text, Whole
from ragauth.security.scopes import VERIFY
from ragauth.services.limits.buckets import Bucket, take
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

_MOST_AT_ONCE = 100


class UnkeyRatelimitQuestion(RequestSchema):
    """Whether `cost` fits into `limit` within `duration` milliseconds, and count it if it does."""

    namespace = Text(minimum=1, maximum=255, required=True)
    identifier = Text(minimum=1, maximum=255, required=True)
    limit = Whole(minimum=1, maximum=LARGEST, required=True)
    duration = Whole(minimum=SHORTEST_MS, maximum=LONGEST_MS, required=True)
    cost = Whole(minimum=0, maximum=LARGEST, load_default=1)


class UnkeyRatelimitQuestions(UnkeyRatelimitQuestion):
    """A list of questions."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"many": True, **options})


class _Verdict(UnkeySchema):
    """`reset` is when the window is over, in Unix milliseconds."""

    limit = fields.Integer(required=True)
    remaining = fields.Integer(required=True)
    reset = fields.Integer(required=True)


class UnkeyRatelimitVerdict(_Verdict):
    success = fields.Boolean(required=True)


class UnkeyNamedVerdict(_Verdict):
    namespace = fields.String(required=True)
    identifier = fields.String(required=True)
    passed = fields.Boolean(required=True)


class UnkeyRatelimitVerdicts(UnkeySchema):
    """`passed` if all did."""

    passed = fields.Boolean(required=True)
    limits = fields.List(fields.Nested(UnkeyNamedVerdict), required=True)


@unkey.post("/v2/ratelimit.limit")
@endpoint(guard=service_key(VERIFY), body=UnkeyRatelimitQuestion, data=UnkeyRatelimitVerdict)
def limit(caller: KeyFacts, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Count a cost against a rate limit of any name, if it fits; what does not is not counted."""
    return _ask(body)


@unkey.post("/v2/ratelimit.multiLimit")
@endpoint(guard=service_key(VERIFY), body=UnkeyRatelimitQuestions, data=UnkeyRatelimitVerdicts)
def multi_limit(caller: KeyFacts, body: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG001
    """Ask several rate limits, in their order, each for itself: one that is full keeps none back.

    1 to 100 in one call.
    """
    if not 1 <= len(body) <= _MOST_AT_ONCE:
        raise InvalidRequest([{"path": [], "message": f"Must have 1 to {_MOST_AT_ONCE} entries"}])
    limits = [_ask(question) for question in body]
    return {"passed": all(each["passed"] for each in limits), "limits": limits}


def _ask(question: dict[str, Any]) -> dict[str, Any]:
    """The answer under the names of both methods."""
    bucket = Bucket(
        namespace=question["namespace"],
        identifier=question["identifier"],
        size=question["limit"],
        length_ms=question["duration"],
    )
    state = take(bucket, question["cost"])
    return {
        **question,
        "remaining": state.remaining,
        "reset": state.resets_at_ms,
        "success": state.is_allowed,
        "passed": state.is_allowed,
    }
