"""Fast parser of requests in their plain form, as gateways and services send them.

gunicorn's own parser reads these requests with the same result (a test compares the two).
gunicorn's parser gets every request that is not plain: malformed ones, other line ends, headers or
framing, a path with escapes, a body that has not arrived yet. Grammar: RFC 9112 sections 3 to 6.
"""

import re
from io import BytesIO
from typing import Any, NamedTuple

LONGEST = 8192
_LONGEST_LINE = 4096

_HEAD = re.compile(
    rb"(?P<method>(?!CONNECT )[A-Z]{3,16}) (?P<path>/[A-Za-z0-9._~/-]*)"
    rb"(?:\?(?P<query>[!\x22$-~]*))? HTTP/1\.1\r\n"
    rb"(?P<headers>(?:[A-Za-z0-9-]{1,64}: [!-~](?:[ -~]*[!-~])?\r\n){1,50})\r\n"
)
# Headers that a server must act on; their plain forms are parsed below.
_FRAMING = frozenset(
    {
        *("HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_CONNECTION"),
        *("HTTP_UPGRADE", "HTTP_HTTP2_SETTINGS", "HTTP_TRAILER", "HTTP_TE", "HTTP_PROXY"),
    }
)
_DIGITS = re.compile(r"[0-9]{1,5}")


class PlainRequest(NamedTuple):
    """`environ` is WSGI's without the server's part; `length` is that of head and body."""

    environ: dict[str, Any]
    length: int
    is_kept: bool


def read_plain(data: bytes) -> PlainRequest | None:
    """Parse the request at the beginning of `data`; None if it is not a plain one."""
    head = _HEAD.match(data)
    if head is None or head.start("headers") > _LONGEST_LINE:
        return None
    method, path, query, headers = head.group("method", "path", "query", "headers")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method.decode("ascii"),
        "PATH_INFO": path.decode("ascii"),
        "QUERY_STRING": "" if query is None else query.decode("ascii"),
    }
    for line in headers.decode("ascii").split("\r\n")[:-1]:
        name, _, value = line.partition(": ")
        name = "HTTP_" + name.upper().replace("-", "_")
        if name in environ:
            return None
        environ[name] = value
    if "HTTP_HOST" not in environ:
        return None
    body_length, is_kept = 0, True
    if not _FRAMING.isdisjoint(environ):
        connection = environ.get("HTTP_CONNECTION", "keep-alive").lower()
        length = environ.pop("HTTP_CONTENT_LENGTH", None)
        is_framed_otherwise = not _FRAMING.isdisjoint(environ.keys() - {"HTTP_CONNECTION"})
        if (
            is_framed_otherwise
            or connection not in ("keep-alive", "close")
            or _DIGITS.fullmatch(length or "0") is None
        ):
            return None
        is_kept = connection == "keep-alive"
        if length is not None:
            environ["CONTENT_LENGTH"], body_length = length, int(length)
    content_type = environ.pop("HTTP_CONTENT_TYPE", None)
    if content_type is not None:
        environ["CONTENT_TYPE"] = content_type
    end = head.end() + body_length
    if len(data) < end:
        return None
    environ["wsgi.input"] = BytesIO(data[head.end() : end])
    return PlainRequest(environ, end, is_kept)
