"""The question that a gateway asks in the query of `authorize`.

Much of the query may be the client's, whom a gateway hands on, and no key has been looked at yet.
So what is not ours is passed over at the cost of a comparison, and never decoded.
"""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from marshmallow import ValidationError

from ragauth.errors import InvalidRequest
from ragauth.schemas.base import to_issues
from ragauth.schemas.checks import AuthorizeQuery

_MAX_PARAMETERS = 100
# In bytes of the query. No value of ours is so long, each of its characters an escape.
_LONGEST_VALUE = 300
_LONGEST_REMEMBERED = 200

_FIELDS = AuthorizeQuery().load_fields


def _spelling(name: str) -> str:
    """A pattern of a name any of whose characters may be an escape (RFC 3986 section 2.1).

    No text fits it in two ways: a search that fails tries nothing twice.
    """
    return "".join(
        f"(?:{character}|%{digits[0]}[{digits[1]}{digits[1].upper()}])"
        for character in name
        for digits in [f"{ord(character):02x}"]
    )


_OURS = re.compile(
    rf"&(?:{'|'.join(f'(?P<{name}>{_spelling(name)})' for name in _FIELDS)})(?==|&|\Z)"
)


class AuthorizeParameters(NamedTuple):
    """What the query asks; `limit_status` is the status of a refusal by a limit."""

    scope: str | None
    agent_id: bytes | None
    cost: int
    limit_status: int


def parse_authorize_query(query_string: str) -> AuthorizeParameters:
    """Raises InvalidRequest for a parameter of ours that does not fit or stands twice, and for more
    than a hundred parameters; what else stands there belongs to the gateway's client.
    """
    if len(query_string) > _LONGEST_REMEMBERED:
        return _parse(query_string)
    return _remembered(query_string)


def _parse(query_string: str) -> AuthorizeParameters:
    if query_string.count("&") >= _MAX_PARAMETERS:
        raise InvalidRequest([{"path": [], "message": "Too many query parameters"}])
    text = f"&{query_string}"
    places: dict[str, int] = {}
    repeated = set()
    for found in _OURS.finditer(text):
        name = found.lastgroup or ""
        if name in places:
            repeated.add(name)
        places[name] = found.end()
    if repeated:
        raise InvalidRequest(
            {"path": [name], "message": "Given more than once"} for name in sorted(repeated)
        )
    loaded, faults = {}, {}
    for name, field in _FIELDS.items():
        try:
            loaded[name] = (
                field.deserialize(_value_at(text, places[name]))
                if name in places
                else field.load_default
            )
        except ValidationError as error:
            faults[name] = error.messages
    if faults:
        raise InvalidRequest(to_issues(faults))
    agent_id = loaded["agent_id"]
    return AuthorizeParameters(
        scope=loaded["scope"],
        agent_id=agent_id and agent_id.bytes,
        cost=loaded["cost"],
        limit_status=int(loaded["on_limit"]),
    )


# A gateway asks the same each time. What is remembered is short: a client may add to it.
_remembered = lru_cache(maxsize=4096)(_parse)


def _value_at(text: str, end_of_name: int) -> str:
    """What is given to a parameter, decoded unless it is too long for any of ours."""
    value = (
        text[end_of_name + 1 :].partition("&")[0]
        if text[end_of_name : end_of_name + 1] == "="
        else ""
    )
    return unquote_plus(value) if len(value) <= _LONGEST_VALUE else value
