"""The body of `keys/verify` in its plain form, read without a schema."""

import json
from functools import lru_cache
from typing import Any

from ragauth.security.identifiers import AGENT, decode_id
from ragauth.security.origins import find_canonical_origin
from ragauth.security.scopes import KEY_SCOPES
from ragauth.services.keys.check import Question

# Made once: `json.loads` makes a decoder for each call with a hook.
_decode = json.JSONDecoder(object_pairs_hook=tuple).decode
_UNASKED: dict[str, Any] = {
    "key": None,
    "scope": None,
    "agent_id": None,
    "cost": 1,
    "client_ip": None,
    "origin": None,
}


def plain_question(body: bytes) -> tuple[str, Question] | None:
    """What `verify` is asked; None for whatever the schema must look at."""
    if not body.isascii() or b"\\" in body:
        return None
    try:
        pairs: Any = _decode(body.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, tuple):
        return None
    presented = dict(pairs)
    if len(presented) != len(pairs) or not _UNASKED.keys() >= presented.keys():
        return None
    fields = dict(_UNASKED)
    # A null is as if the field were absent.
    fields.update([pair for pair in pairs if pair[1] is not None])
    key, cost = fields["key"], fields["cost"]
    if (
        type(key) is not str
        or type(cost) is not int
        or not 0 <= cost <= 10_000
        or (fields["scope"] is not None and fields["scope"] not in KEY_SCOPES)
        or not _is_short_text(fields["client_ip"], 100)
        or not _is_short_text(fields["origin"], 1000)
    ):
        return None
    try:
        agent_id = None if fields["agent_id"] is None else _decode_agent(fields["agent_id"])
    except (ValueError, TypeError, AttributeError):
        return None
    return key, Question(
        scope=fields["scope"],
        agent_id=agent_id,
        cost=cost,
        client_ip=fields["client_ip"],
        origin=fields["origin"] and find_canonical_origin(fields["origin"]),
    )


def _is_short_text(value: object, maximum: int) -> bool:
    return value is None or (type(value) is str and len(value) <= maximum)


@lru_cache(maxsize=4096)
def _decode_agent(text: str) -> bytes:
    return decode_id(AGENT, text).bytes
