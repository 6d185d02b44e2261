"""The question of a check: in the query of `authorize`, or in the body of `keys/verify`.

A gateway may pass on its client's query, and no key has been checked yet. So an unknown parameter
costs one comparison and is never decoded.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from marshmallow import ValidationError

from ragauth.errors import InvalidRequest
from ragauth.policy import Policy
from ragauth.schemas.amounts import ByMeter
from ragauth.schemas.base import to_issues
from ragauth.schemas.checks import AuthorizeQuery, VerifySchema
from ragauth.schemas.scope_fields import LONGEST_SCOPES
from ragauth.services.keys.check import CUSTOMER_KINDS, Question
from ragauth.services.limits.takings import Amounts

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_MAX_PARAMETERS = 100
# In bytes of the query: longer than any valid value, even if each of its characters is an escape.
_LONGEST_VALUE = 3 * LONGEST_SCOPES
_LONGEST_REMEMBERED = 200
# Once for each meter, or for each limit.
_REPEATABLE = frozenset({"use", "reserve", "limit"})

_QUERY_FIELDS = AuthorizeQuery().load_fields
_BODY_FIELDS = VerifySchema().load_fields
_UNASKED = {name: field.load_default for name, field in _BODY_FIELDS.items() if name != "key"}
# A fifth of the cost of `_replace`, and half that of Question(…), whose __new__ is in Python.
_new_tuple = tuple.__new__
# Made once, since `json.loads` makes a decoder for each call with a hook.
_decode_pairs = json.JSONDecoder(object_pairs_hook=tuple).decode


def _spelling(name: str) -> str:
    """A pattern for a name; each character may be an escape (RFC 3986 section 2.1).

    No text matches it in two ways, so a failing search does not backtrack.
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
    """The question with the client's address and Origin added."""
    kinds, scopes, agent_id, cost, _, _, amounts, query = question
    address, origin = environ.get("REMOTE_ADDR"), environ.get("HTTP_ORIGIN")
    return _new_tuple(Question, (kinds, scopes, agent_id, cost, address, origin, amounts, query))


def authorize_question(environ: "WSGIEnvironment", policy: Policy) -> tuple[Question, int]:
    """A gateway's question, and the status of a refusal by a limit; see `parse_authorize_query`."""
    question, limit_status = parse_authorize_query(environ.get("QUERY_STRING", ""), policy)
    return presented_in(environ, question), limit_status


def verify_question(loaded: Mapping[str, Any]) -> Question:
    """A service's question in a body that `VerifySchema` has loaded."""
    agent_id = loaded["agent_id"]
    asked = (loaded["scope"], agent_id and agent_id.bytes, loaded["cost"])
    client = (loaded["client_ip"], loaded["origin"])
    amounts = _amounts(loaded["use"], loaded["reserve"], loaded["limits"])
    return _new_tuple(Question, (CUSTOMER_KINDS, *asked, *client, amounts, None))


def _amounts(use: ByMeter, reserve: ByMeter, named: Any) -> Amounts | None:
    return Amounts(use, reserve, named) if use or reserve or named else None


def parse_plain_body(body: bytes, policy: Policy) -> tuple[str, Question] | None:
    """The presented key and the question of `keys/verify`, parsed with the schema's fields alone.

    None for a body that the whole schema must load, for example to report its faults.
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
                loaded[name] = _load(name, value, policy)
            else:
                # Not cached: equal values of different types, such as 1 and true, have one hash.
                loaded[name] = _BODY_FIELDS[name].deserialize(_to_json(value), policy=policy)
    except (KeyError, ValueError, ValidationError, RecursionError):
        return None
    return key, verify_question(loaded)


def _to_json(value: Any) -> Any:
    """A value in which objects are tuples of pairs, as JSON; ValueError for a name given twice."""
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if not isinstance(value, tuple):
        return value
    named = {name: _to_json(item) for name, item in value}
    if len(named) != len(value):
        raise ValueError
    return named


@lru_cache(maxsize=4096, typed=True)
def _load(name: str, value: str | int, policy: Policy) -> Any:
    """Load a value with a field of `verify`; cached, since a service sends the same values again.

    Raises KeyError if there is no such field.
    """
    return _BODY_FIELDS[name].deserialize(value, policy=policy)


def parse_authorize_query(query_string: str, policy: Policy) -> tuple[Question, int]:
    """The question, and the status of a refusal by a limit.

    Raises InvalidRequest for a known parameter that is invalid or given twice, and for more than a
    hundred parameters. Unknown parameters belong to the gateway's client.
    """
    if len(query_string) > _LONGEST_REMEMBERED:
        return _parse(query_string, policy)
    return _remembered(query_string, policy)


def _parse(query_string: str, policy: Policy) -> tuple[Question, int]:
    if query_string.count("&") >= _MAX_PARAMETERS:
        raise InvalidRequest([{"path": [], "message": "Too many query parameters"}])
    text = f"&{query_string}"
    places: dict[str, list[int]] = {}
    for found in _OURS.finditer(text):
        places.setdefault(found.lastgroup or "", []).append(found.end())
    repeated = {name for name, ends in places.items() if len(ends) > 1} - _REPEATABLE
    if repeated:
        raise InvalidRequest(
            {"path": [name], "message": "Given more than once"} for name in sorted(repeated)
        )
    loaded, faults = {}, {}
    for name, field in _QUERY_FIELDS.items():
        try:
            if name not in places:
                loaded[name] = field.load_default
                continue
            values = [_value_at(text, end) for end in places[name]]
            given: Any = values if name in _REPEATABLE else values[0]
            loaded[name] = field.deserialize(given, policy=policy)
        except ValidationError as error:
            faults[name] = error.messages
    if faults:
        raise InvalidRequest(to_issues(faults))
    agent_id = loaded["agent_id"]
    named = tuple((name, None) for name in loaded["limit"])
    question = Question(
        scopes=loaded["scope"],
        agent_id=agent_id and agent_id.bytes,
        cost=loaded["cost"],
        amounts=_amounts(loaded["use"], loaded["reserve"], named),
    )
    return question, int(loaded["on_limit"])


# Cached, since a gateway asks the same each time. Only short queries are: a client may add to them.
_remembered = lru_cache(maxsize=4096)(_parse)


def _value_at(text: str, end_of_name: int) -> str:
    """The value of a parameter, decoded unless it is longer than any valid value."""
    value = (
        text[end_of_name + 1 :].partition("&")[0]
        if text[end_of_name : end_of_name + 1] == "="
        else ""
    )
    return unquote_plus(value) if len(value) <= _LONGEST_VALUE else value
