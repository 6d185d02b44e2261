"""Reading the body: one JSON object or array, strictly (RFC 8259), or a clear refusal."""

import json
import logging
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any, NoReturn

from flask import request
from werkzeug.exceptions import ClientDisconnected, HTTPException

from ragauth.config import MAX_BODY_BYTES
from ragauth.errors import BodyTooLarge, InvalidRequest, UnsupportedMediaType
from ragauth.web.paths import max_body_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger("ragauth")

MALFORMED_JSON = "Malformed JSON"
_CUT_SHORT = "The body ended too early"
# Each may be faulty, and each fault costs more than its bytes.
_MOST_ENTRIES = 10_000
# Python's int() raises for thousands of digits.
_LENGTH = re.compile(r"[0-9]{1,5}")


class _NotJson(ValueError):
    """JSON that Python accepts and RFC 8259 forbids; the message says what it is."""


def read_json_object() -> dict[str, Any]:
    """Read the body of the present request.

    A request without a body counts as an empty object, so that the required fields are named as
    missing. Raises InvalidRequest, UnsupportedMediaType or BodyTooLarge.
    """
    value = _read_json(if_empty={})
    if not isinstance(value, dict):
        raise _malformed("Must be a JSON object")
    return value


def read_json_array() -> list[Any]:
    """Read the body of the present request: one array; raises as `read_json_object` does."""
    value = _read_json(if_empty=None)
    if not isinstance(value, list):
        raise _malformed("Must be a JSON array")
    if len(value) > _MOST_ENTRIES:
        raise _malformed(f"Must have at most {_MOST_ENTRIES:,} entries")
    return value


def _read_json(*, if_empty: Any) -> Any:
    body = read_body()
    if not body:
        return if_empty
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_refuse_constant,
        )
    except RecursionError as error:
        raise _malformed("The JSON is nested too deeply") from error
    except ValueError as error:
        raise _malformed(f"{MALFORMED_JSON}: {_why_malformed(error)}") from error


def read_body() -> bytes:
    """Read the body of the present request as it is; it can be read again.

    Raises InvalidRequest for one that is cut short, BodyTooLarge.
    """
    most_bytes = max_body_bytes(request.path)
    body = _read_body(most_bytes)
    if len(body) > most_bytes:
        raise BodyTooLarge.than(most_bytes)
    return body


def read_early(environ: "WSGIEnvironment") -> bytes | None:
    """Read the body before the application is asked, so that it can be read again.

    None if the application must answer with an error: no length, a length above the bound, a body
    that is shorter or cannot be read.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    if _LENGTH.fullmatch(length) is None or not 0 < int(length) <= MAX_BODY_BYTES:
        return None
    try:
        body: bytes = environ["wsgi.input"].read(int(length))
    except Exception as error:
        _note_unreadable(error)
        body = b""
    environ["wsgi.input"] = BytesIO(body)
    return body if len(body) == int(length) else None


def _read_body(most_bytes: int) -> bytes:
    # One byte more than allowed: a body of unknown length is cut at this limit without an error.
    request.max_content_length = most_bytes + 1
    try:
        body = request.get_data()
    except ClientDisconnected as error:
        raise _malformed(_CUT_SHORT) from error
    except HTTPException:
        raise
    except Exception as error:
        _note_unreadable(error)
        raise _malformed("The body could not be read") from error
    # RFC 9112 section 8: such a request is incomplete, even if its beginning is valid JSON.
    if len(body) < (request.content_length or 0):
        raise _malformed(_CUT_SHORT)
    return body


def _note_unreadable(error: Exception) -> None:
    """Log that the body could not be read: a malformed chunk, a closed connection, a slow client.

    Each server has its own exceptions for these, so any exception counts: nothing else can fail
    here.
    """
    log.info("a body could not be read", extra={"cause": type(error).__name__})


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _NotJson("a name stands twice in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJson(f"{name} is no number of JSON's")


def _why_malformed(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "the body is not UTF-8"
    # Python's int() refuses thousands of digits with a message of its own.
    return str(error) if isinstance(error, _NotJson) else "a number has too many digits"


def _malformed(message: str) -> InvalidRequest:
    return InvalidRequest([{"path": [], "message": message}])
