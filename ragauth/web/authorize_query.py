"""The question that a gateway asks in the query of `authorize`."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from marshmallow import ValidationError

from ragauth.errors import InvalidRequest
from ragauth.schemas.base import to_issues
from ragauth.schemas.checks import AuthorizeQuery

_MAX_PARAMETERS = 100


class AuthorizeParameters(NamedTuple):
    """What the query asks; `limit_status` is the status of a refusal by a limit."""

    scope: str | None
    agent_id: bytes | None
    cost: int
    limit_status: int


@lru_cache(maxsize=4096)
def parse_authorize_query(query_string: str) -> AuthorizeParameters:
    """Remembered, for a gateway asks the same each time.

    Raises InvalidRequest for a parameter of ours that does not fit or stands twice; what else
    stands there belongs to the gateway's client.
    """
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise InvalidRequest([{"path": [], "message": "Too many query parameters"}]) from error
    names = [name for name, _ in pairs if name in AuthorizeQuery().fields]
    if len(names) != len(set(names)):
        raise InvalidRequest(
            [
                {"path": [name], "message": "Given more than once"}
                for name in sorted({name for name in names if names.count(name) > 1})
            ]
        )
    try:
        query = AuthorizeQuery().load(dict(pairs))
    except ValidationError as error:
        raise InvalidRequest(list(to_issues(error.messages))) from error
    agent_id = query["agent_id"]
    return AuthorizeParameters(
        scope=query["scope"],
        agent_id=agent_id and agent_id.bytes,
        cost=query["cost"],
        limit_status=int(query["on_limit"]),
    )
