"""Reading the body: one JSON object, strictly (RFC 8259), or a clear refusal."""

import json
from typing import Any, NoReturn

from flask import request

from ragauth.config import MAX_BODY_BYTES
from ragauth.errors import BodyTooLarge, InvalidRequest, UnsupportedMediaType


def read_json_object() -> dict[str, Any]:
    """The body of the present request.

    No body at all is an empty object, so that what is required is named as missing. Raises
    InvalidRequest, UnsupportedMediaType or BodyTooLarge.
    """
    # One byte more than is allowed: a body of unknown length is cut at this limit in silence.
    request.max_content_length = MAX_BODY_BYTES + 1
    body = request.get_data(cache=False)
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge
    if not body:
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_refuse_constant,
        )
    except RecursionError as error:
        raise _malformed("The JSON is nested too deeply") from error
    except ValueError as error:
        raise _malformed("Malformed JSON") from error
    if not isinstance(value, dict):
        raise _malformed("Must be a JSON object")
    return value


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _malformed(message: str) -> InvalidRequest:
    return InvalidRequest([{"path": [], "message": message}])
