"""What a check is asked: by a gateway in the query of `authorize`, by a service in the body of
`keys/verify`.

Much of the query may be the client's, whom a gateway hands on, and no key has been looked at yet.
So a parameter that is not ours costs one comparison and is never decoded.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from marshmallow import ValidationError

from ragauth.errors import InvalidRequest
from ragauth.schemas.base import to_issues
from ragauth.schemas.checks import AuthorizeQuery, VerifySchema
from ragauth.services.keys.check import CUSTOMER_KINDS, Question

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_MAX_PARAMETERS = 100
# In bytes of the query. No value of ours is so long, each of its characters an escape.
_LONGEST_VALUE = 300
_LONGEST_REMEMBERED = 200

_QUERY_FIELDS = AuthorizeQuery().load_fields
_BODY_FIELDS = VerifySchema().load_fields
_UNASKED = {name: field.load_default for name, field in _BODY_FIELDS.items() if name != "key"}
# A fifth of the price of `_replace`, and half that of Question(…), whose __new__ is in Python.
_new_tuple = tuple.__new__
# Made once: `json.loads` makes a decoder for each call with a hook.
_decode_pairs = json.JSONDecoder(object_pairs_hook=tuple).decode


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
    rf"&(?:{'|'.join(f'(?P<{name}>{_spelling(name)})' for name in _QUERY_FIELDS)})(?==|&|\Z)"
)


def presented_in(environ: "WSGIEnvironment", question: Question) -> Question:
    """The question with where its request came from: the client's address and its Origin."""
    kinds, scope, agent_id, cost, _, _ = question
    place = (environ.get("REMOTE_ADDR"), environ.get("HTTP_ORIGIN"))
    return _new_tuple(Question, (kinds, scope, agent_id, cost, *place))


def authorize_question(environ: "WSGIEnvironment") -> tuple[Question, int]:
    """What a gateway asks, and the status of a refusal by a limit; as `parse_authorize_query`."""
    question, limit_status = parse_authorize_query(environ.get("QUERY_STRING", ""))
    return presented_in(environ, question), limit_status


def verify_question(loaded: Mapping[str, Any]) -> Question:
    """What a service asks in a body that fits `VerifySchema`."""
    agent_id = loaded["agent_id"]
    asked = (loaded["scope"], agent_id and agent_id.bytes, loaded["cost"])
    return _new_tuple(Question, (CUSTOMER_KINDS, *asked, loaded["client_ip"], loaded["origin"]))


def parse_plain_body(body: bytes) -> tuple[str, Question] | None:
    """The presented key and the question of `keys/verify`, by the fields of the schema alone.

    None for a body that the whole schema must look at, as it must where something is wrong.
    """
    if not body.isascii() or b"\\" in body:
        return None
    try:
        pairs: Any = _decode_pairs(body.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, tuple):
        return None
    presented = dict(pairs)
    key = presented.pop("key", None)
    if len(presented) != len(pairs) - 1 or not isinstance(key, str):
        return None
    loaded = dict(_UNASKED)
    try:
        for name, value in presented.items():
            if value is None:
                # A null means the same as an absent field.
                loaded[name] = _UNASKED[name]
            elif isinstance(value, int) or (
                isinstance(value, str) and len(value) <= _LONGEST_REMEMBERED
            ):
                loaded[name] = _load(name, value)
            else:
                return None
    except (KeyError, ValidationError):
        return None
    return key, verify_question(loaded)


@lru_cache(maxsize=4096, typed=True)
def _load(name: str, value: str | int) -> Any:
    """What a field of `verify` makes of a value, of which a service sends the same again.

    Raises KeyError where there is no such field.
    """
    return _BODY_FIELDS[name].deserialize(value)


def parse_authorize_query(query_string: str) -> tuple[Question, int]:
    """The question, and the status of a refusal by a limit.

    Raises InvalidRequest for a parameter of ours that does not fit or stands twice, and for more
    than a hundred parameters; what else stands there belongs to the gateway's client.
    """
    if len(query_string) > _LONGEST_REMEMBERED:
        return _parse(query_string)
    return _remembered(query_string)


def _parse(query_string: str) -> tuple[Question, int]:
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
    for name, field in _QUERY_FIELDS.items():
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
    question = Question(
        scope=loaded["scope"], agent_id=agent_id and agent_id.bytes, cost=loaded["cost"]
    )
    return question, int(loaded["on_limit"])


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
