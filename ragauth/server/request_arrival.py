"""A request on its way: collected until a thread can answer it without waiting for the client.

Only gunicorn's parser decides what the bytes mean, and it parses them once. This module only
decides when to ask it, and when the body is complete. A mistake here can cause an answer that is
too early (the body is cut short, which is a 400) or too late; it cannot turn one request into
another.
"""

import re
from typing import Any

from gunicorn.http.body import CHUNK_EXT_RE, ChunkedReader  # type: ignore[attr-defined]
from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders, NoMoreData
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader
from gunicorn.util import unquote_to_wsgi_str
from werkzeug.exceptions import RequestEntityTooLarge

from ragauth.web.paths import is_authorize, max_body_bytes

MOST_HEAD_BYTES = 64 * 1024
_PIECE = 8192
_MOST_LINE_BYTES = 8190

_BARE_LINE_END = re.compile(rb"\n(?<!\r\n)")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]+")
# The possible forms of a size line, or of its beginning.
_CHUNK_SIZE_LINE = re.compile(rb"(?:[0-9A-Fa-f]+(?:[ \t]*(?:;[^\n]*)?)?\r?)?")


class Arrived(Unreader):
    """The bytes of a connection that have arrived, as gunicorn's parser reads them.

    Reading more than has arrived raises `end`; nothing here ever waits.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bytes = bytearray()
        self._at = 0
        self.end: Exception = NoMoreData()

    def add(self, data: bytes) -> None:
        self._bytes += data

    def chunk(self, size_hint: int | None = None) -> bytes:
        # In small pieces, because gunicorn copies its whole buffer once for each chunk of a chunked
        # body.
        piece = bytes(self._bytes[self._at : self._at + _PIECE])
        if not piece:
            raise self.end
        self._at += len(piece)
        return piece

    def read_head(self) -> bytes:
        """All that has arrived, in one piece."""
        head = bytes(self._bytes[self._at :])
        self._bytes, self._at = bytearray(), 0
        return head

    def take_rest(self) -> bytes:
        """Return and remove the bytes that were not read: the beginning of the next request."""
        rest: bytes = self.take_buffered()
        return rest + self.read_head()


class Arrival:
    """The requests of one connection, one after another.

    `request` is the present one, None until its head has arrived. `is_last` means that the
    connection must close after it, because it is unknown where the next request begins.
    """

    def __init__(self, cfg: Any, client: Any) -> None:
        self._parser: Any = RequestParser(cfg, (), client)
        self._arrived = self._parser.unreader = Arrived()
        self._longest_line = cfg.limit_request_line or MOST_HEAD_BYTES
        self._begin()

    def _begin(self) -> None:
        self._head = bytearray()
        self._head_bytes = self._searched = 0
        self._body: _LengthOfBody | _ChunksOfBody = _LengthOfBody(0, 0)
        self.request: Any = None
        self.is_last = False
        self._expects_invitation = self._is_body_unread = False
        self._arrived.end = NoMoreData()

    @property
    def has_begun(self) -> bool:
        return bool(self._head)

    @property
    def held_bytes(self) -> int:
        return max(self._head_bytes, len(self._head)) + self._body.received

    def add(self, data: bytes) -> bool:
        """Add bytes that have arrived; returns True when a thread can answer.

        Raises gunicorn's ParseException for what is not HTTP.
        """
        if (request := self.request) is not None:
            self._arrived.add(data)
        else:
            self._head += data
            if not self._is_head_over():
                return False
            request, data = self._parse_head()
        self._body.add(data)
        if self._body.is_over:
            if self._body.has_trailers:
                # Close after this request: faulty trailers are noticed too late, after the answer
                # has begun.
                self._cut(request, NoMoreData())
            return True
        if self._body.fault is None and not self._is_body_unread:
            return False
        self._cut(request, self._body.fault or NoMoreData())
        return True

    def must_invite(self) -> bool:
        """Whether the client waits for 100 Continue before it sends the body; True only once."""
        is_invited, self._expects_invitation = self._expects_invitation, False
        return is_invited and not (self.is_last or self._body.received)

    def end(self) -> bool:
        """Note that the client sends no more; returns True if its request gets an answer."""
        if self.request is None:
            return False
        self._cut(self.request, NoMoreData())
        return True

    def finish(self) -> bytes | None:
        """After the answer: what has arrived of the next request, or None if there can be none."""
        if self.is_last or not self._parser.finish_body():
            return None
        rest = self._arrived.take_rest()
        self._begin()
        return rest

    def _cut(self, request: Any, end: Exception) -> None:
        request.force_close()
        self.is_last = True
        self._arrived.end = end

    def _is_head_over(self) -> bool:
        """Whether the whole head has arrived, or enough for a refusal."""
        head, searched = self._head, self._searched
        self._searched = len(head)
        return (
            head.find(b"\r\n\r\n", max(0, searched - 3)) >= 0
            or _BARE_LINE_END.search(head, searched) is not None
            or not (0x21 <= head[0] <= 0x7E or head[0] == 0x0D)
            or (len(head) - 4 > self._longest_line and head.find(b"\r\n", 2) < 0)
            or len(head) > MOST_HEAD_BYTES
        )

    def _parse_head(self) -> tuple[Any, bytes]:
        """Let gunicorn parse the head; returns the request and what has arrived of its body."""
        self._arrived.unread(bytes(self._head))
        try:
            request = next(self._parser)
        except NoMoreData:
            if len(self._head) > MOST_HEAD_BYTES:
                raise LimitRequestHeaders("limit request head size") from None
            raise InvalidRequestLine("no end of the head") from None
        rest: bytes = self._arrived.buf.getvalue()
        self._head_bytes = len(self._head) - len(rest)
        self._head.clear()
        # The worker sends 100 Continue; gunicorn would send it when the answer begins.
        self._expects_invitation = request._expected_100_continue
        request._expected_100_continue = False
        path = unquote_to_wsgi_str(request.path)
        self._is_body_unread = is_authorize(path)
        most_bytes = max_body_bytes(path)
        reader = request.body.reader
        is_chunked = isinstance(reader, ChunkedReader)
        self._body = (
            _ChunksOfBody(most_bytes) if is_chunked else _LengthOfBody(reader.length, most_bytes)
        )
        self.request = request
        return request, rest


class _LengthOfBody:
    """A body with a Content-Length (RFC 9112 section 6.2)."""

    has_trailers = False

    def __init__(self, length: int, most_bytes: int) -> None:
        self._length = length
        self.received = 0
        self.fault = RequestEntityTooLarge() if length > most_bytes else None

    def add(self, data: bytes) -> None:
        self.received += len(data)

    @property
    def is_over(self) -> bool:
        return self.received >= self._length


class _ChunksOfBody:
    """A chunked body (RFC 9112 section 7.1); each byte is examined once, as it arrives."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.received = 0
        self.is_over = self.has_trailers = False
        self.fault: Exception | None = None
        self._data_bytes = 0
        self._left = 0
        # The part that has arrived of a size line, of the line end after a chunk, or of the
        # trailers.
        self._line = bytearray()
        self._step = self._read_size

    def add(self, data: bytes) -> None:
        self.received += len(data)
        at = 0
        while at < len(data) and not self.is_over and self.fault is None:
            at = self._step(data, at)
        # Chunk sizes and line ends are counted too; the same amount again is enough for them.
        if not self.is_over and self.received > 2 * self._most_bytes:
            self.fault = self.fault or RequestEntityTooLarge()

    def _read_size(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at) + 1 or len(data)
        self._line += data[at:end]
        if not self._line.endswith(b"\r\n"):
            if _CHUNK_SIZE_LINE.fullmatch(self._line) is None or len(self._line) > _MOST_LINE_BYTES:
                self.fault = NoMoreData()
            return end
        size = _CHUNK_SIZE.match(self._line)
        if (
            size is None
            or len(self._line) > _MOST_LINE_BYTES
            or CHUNK_EXT_RE.fullmatch(self._line[size.end() : -2]) is None
        ):
            self.fault = NoMoreData()
            return end
        self._left = int(size[0], 16)
        self._line.clear()
        self._data_bytes += self._left
        if self._data_bytes > self._most_bytes:
            self.fault = RequestEntityTooLarge()
        self._step = self._skip_data if self._left else self._read_trailers
        return end

    def _skip_data(self, data: bytes, at: int) -> int:
        skipped = min(self._left, len(data) - at)
        self._left -= skipped
        if not self._left:
            self._step = self._read_line_end
        return at + skipped

    def _read_line_end(self, data: bytes, at: int) -> int:
        self._line.append(data[at])
        if self._line == b"\r\n":
            self._line.clear()
            self._step = self._read_size
        elif self._line != b"\r":
            self.fault = NoMoreData()
        return at + 1

    def _read_trailers(self, data: bytes, at: int) -> int:
        searched = len(self._line)
        self._line += data[at:]
        if self._line.startswith(b"\r\n"):
            self.is_over = True
        elif self._line.find(b"\r\n\r\n", max(0, searched - 3)) > 0:
            self.is_over = self.has_trailers = True
        elif (
            _BARE_LINE_END.search(self._line, searched) is not None
            or len(self._line) > _MOST_LINE_BYTES
        ):
            self.fault = NoMoreData()
        return len(data)
