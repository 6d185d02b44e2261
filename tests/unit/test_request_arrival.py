"""A request that comes in pieces is what gunicorn's own parser reads of the whole.

And it is answered as soon as nothing more is needed, not later: no thread, and no client, waits.
"""

import socket
from collections.abc import Sequence

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.http.errors import (
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
)
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge

from ragauth.config import MAX_BODY_BYTES
from ragauth.server.request_arrival import MOST_HEAD_BYTES, Arrival
from tests.cases import for_each

CLIENT = ("192.0.2.7", 4711)
CONFIG = Config()
POST = b"POST /a HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"

# What a request was: its method, target, headers and body; or the kind of error.
Reading = tuple[str, str, list[tuple[str, str]], bytes] | type[Exception]

_pieces = st.sampled_from(
    [
        *(b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"get / HTTP/1.1\r\n", b"\r\n", b"\n"),
        *(b"Host: a\r\n", b"Host : a\r\n", b"A: b\r\n", b" fold\r\n", b"A_B: c\r\n", b"\x16\x03"),
        *(b"Content-Length: 5\r\n", b"Content-Length: 05\r\n", b"Content-Length: -1\r\n"),
        *(b"Content-Length: 0\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"hello", b"0\r\n"),
        *(b"5\r\nhello\r\n", b"5;a=b\r\nhello\r\n", b'5;a="b\xe9"\r\nhello\r\n', b"0;x\r\n\r\n"),
        *(b"5 \r\nhello\r\n", b"5 ;a\r\nhello\r\n", b"0x5\r\nhello\r\n", b"-1\r\n", b"zz\r\n"),
        *(b"5\nhello\n", b"5\r\nhelloX", b"00005\r\nhello\r\n", b"A\r\n0123456789\r\n", b"\r"),
        *(b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"0\r\nHost: b\r\n\r\n", b"0\r\nA: b\n\n", b"5;\xff"),
    ]
)


def read_by_gunicorn(data: bytes) -> tuple[Reading, bytes]:
    """What is read of all of it, and what is left for the next request."""
    here, there = socket.socketpair()
    with here, there:
        here.sendall(data)
        here.shutdown(socket.SHUT_WR)
        parser = get_parser(CONFIG, there, CLIENT)
        try:
            request = next(parser)
            body = request.body.read()
            rest = parser.unreader.take_buffered()
            while part := there.recv(65_536):
                rest += part
        except (ParseException, NoMoreData) as error:
            return type(error), b""
        return (request.method, request.uri, request.headers, body), rest


def read_in_pieces(data: bytes, cuts: Sequence[int]) -> tuple[Reading | None, bytes | None, int]:
    """The same of what came in pieces, and how many bytes that took; None for what never came."""
    arrival = Arrival(CONFIG, CLIENT)
    ends = sorted({cut % len(data) for cut in cuts if cut % len(data)} | {len(data)})
    start = 0
    try:
        for end in ends:
            is_there = arrival.add(data[start:end])
            start = end
            if is_there:
                break
        else:
            if not arrival.end():
                return None, None, start
        request = arrival.request
        body = request.body.read()
    except (ParseException, NoMoreData) as error:
        return type(error), None, start
    rest = arrival.finish()
    if rest is not None:
        assert not arrival.has_begun
    else:
        assert arrival.is_last
    return (request.method, request.uri, request.headers, body), rest, start


def is_all_there(data: bytes) -> bool:
    """Whether a thread gets it before the client ends it; what is no request counts too."""
    try:
        return Arrival(CONFIG, CLIENT).add(data)
    except ParseException:
        return True


class TestWholeRequests:
    @for_each(
        "data",
        [
            NEXT,
            b"\r\n" + NEXT,
            POST + b"Content-Length: 5\r\n\r\nhello",
            POST + b"Content-Length: 0\r\n\r\n",
            CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
            CHUNKED + b'5 ; a="b;c"\r\nhello\r\n1\r\n!\r\n000\r\n\r\n',
            b"GET / HTTP/1.0\r\n\r\n",
        ],
    )
    def test_are_there_with_their_last_byte_and_not_before(self, data: bytes) -> None:
        for length in range(1, len(data)):
            assert not is_all_there(data[:length]), data[:length]
        for cuts in ([], [1], range(len(data)), range(0, len(data), 3)):
            reading, rest, _ = read_in_pieces(data, cuts)
            assert (reading, rest) == read_by_gunicorn(data)
            reading, rest, taken = read_in_pieces(data + NEXT, cuts)
            expected, left = read_by_gunicorn(data + NEXT)
            assert reading == expected
            assert rest is not None
            assert rest + (data + NEXT)[taken:] == left == NEXT

    @given(
        pieces=st.lists(_pieces, min_size=1, max_size=8),
        start=st.sampled_from([b"", POST, CHUNKED]),
        cuts=st.lists(st.integers(0, 400), max_size=6),
    )
    def test_scrambled_ones_are_what_gunicorn_makes_of_them(
        self, pieces: list[bytes], start: bytes, cuts: list[int]
    ) -> None:
        data = start + b"".join(pieces)
        expected, left = read_by_gunicorn(data)
        reading, rest, taken = read_in_pieces(data, cuts)
        if isinstance(expected, tuple):
            if isinstance(reading, tuple):
                assert reading == expected
                if rest is not None:
                    assert rest + data[taken:] == left
            else:
                # gunicorn takes a short body for the whole when the client has gone.
                assert reading is NoMoreData
                assert not left
        else:
            # The first of several faults may be another one in a part than in the whole.
            assert not isinstance(reading, tuple)


def test_trailers_are_read_and_no_request_follows_them() -> None:
    """They are looked at when the body is read, too late to announce the close."""
    data = CHUNKED + b"2\r\n{}\r\n0\r\nA: b\r\n\r\n"
    assert not is_all_there(data[:-1])
    reading, rest, _ = read_in_pieces(data + NEXT, [])
    assert reading == read_by_gunicorn(data)[0]
    assert rest is None


class TestDoubt:
    @for_each(
        "data",
        [
            b"GET / HTTP/1.1\nHost: a\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET /" + b"a" * 9000,
            POST + b"A: " + b"b" * MOST_HEAD_BYTES,
            POST + b"A: b\n",
            POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            CHUNKED + b"zz",
            CHUNKED + b"-1\r\n",
            CHUNKED + b"0x2\r\n",
            CHUNKED + b"5\n",
            CHUNKED + b"5;\x01=a\r\n",
            CHUNKED + b"5;" + b"a" * 9000,
            CHUNKED + b"5\r\nhelloX",
            CHUNKED + b"5\r\nhello\rX",
            CHUNKED + b"0\r\nA: b\n",
            CHUNKED + b"0\r\nA: " + b"b" * 9000,
        ],
    )
    def test_is_not_waited_out(self, data: bytes) -> None:
        """S38: gunicorn decides on what is there, and the connection closes."""
        reading, rest, _ = read_in_pieces(data, [])
        assert is_all_there(data)
        assert rest is None
        assert not isinstance(reading, tuple)

    def test_says_what_was_too_long(self) -> None:
        with pytest.raises(LimitRequestLine):
            Arrival(CONFIG, CLIENT).add(b"GET /" + b"a" * 9000)
        with pytest.raises(LimitRequestHeaders):
            Arrival(CONFIG, CLIENT).add(POST + b"A: bcd\r\n" * 10_000)


class TestBounds:
    """S29, S38: what is kept of a request is bounded, and a refusal waits for no rest."""

    @for_each(
        "data",
        [
            POST + b"Content-Length: 10000000000\r\n\r\n",
            POST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
            CHUNKED + b"%x\r\n" % (MAX_BODY_BYTES + 1),
            CHUNKED + b"ffffffffffffffffffffffff\r\n",
            CHUNKED + b"8000\r\n" + b"a" * 0x8000 + b"\r\n8001\r\n",
            CHUNKED + (b"1;%s\r\na\r\n" % (b"x" * 60)) * 2_000,
        ],
    )
    def test_a_body_that_is_too_large_is_not_waited_for(self, data: bytes) -> None:
        arrival = Arrival(CONFIG, CLIENT)
        assert arrival.add(data)
        assert arrival.is_last
        assert arrival.request.should_close()
        with pytest.raises(RequestEntityTooLarge):
            arrival.request.body.read()
        assert arrival.finish() is None

    @for_each("framing", [b"Content-Length: 10\r\n", b"Transfer-Encoding: chunked\r\n"])
    @for_each("path", [b"/api/v1/authorize", b"/api/v1/%61uthorize/x?cost=0"])
    def test_authorize_waits_for_no_body(self, framing: bytes, path: bytes) -> None:
        """S38: it never reads one; the connection closes, unless all of the body is there."""
        head = b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + framing
        arrival = Arrival(CONFIG, CLIENT)
        assert arrival.add(head + b"\r\n")
        assert arrival.is_last
        assert not arrival.must_invite()
        body = b"0123456789" if b"Length" in framing else b"0\r\n\r\n"
        arrival = Arrival(CONFIG, CLIENT)
        assert arrival.add(head + b"\r\n" + body + NEXT)
        assert arrival.finish() == NEXT

    def test_the_length_of_what_is_kept_is_known(self) -> None:
        arrival = Arrival(CONFIG, CLIENT)
        arrival.add(POST)
        assert arrival.held_bytes == len(POST)
        length = b"Content-Length: 100\r\n\r\n"
        arrival.add(length + b"12345")
        arrival.add(b"67890")
        assert arrival.held_bytes == len(POST + length) + 10

    def test_a_size_line_that_is_too_long_ends_the_connection_even_if_all_of_it_is_there(
        self,
    ) -> None:
        """Whether gunicorn reads it depends on the pieces: a close is announced in time."""
        line = b"2" + b";a" * 4500 + b"\r\n"
        for cuts in ([], [len(CHUNKED + line) - 1]):
            arrival = Arrival(CONFIG, CLIENT)
            data = CHUNKED + line + b"{}\r\n0\r\n\r\n" + NEXT
            ends = [*cuts, len(data)]
            for start, end in zip([0, *cuts], ends, strict=True):
                if arrival.add(data[start:end]):
                    break
            assert arrival.request.should_close()
            assert arrival.finish() is None


class TestInvitations:
    HEAD = POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"

    def test_a_client_that_waits_for_one_gets_it_once(self) -> None:
        arrival = Arrival(CONFIG, CLIENT)
        assert not arrival.add(self.HEAD)
        assert arrival.must_invite()
        assert not arrival.must_invite()
        assert arrival.add(b"hello")

    def test_others_get_none(self) -> None:
        """Who has begun to send does not wait; an older client would take it for the answer."""
        for head in (self.HEAD + b"h", self.HEAD.replace(b"1.1", b"1.0"), POST):
            arrival = Arrival(CONFIG, CLIENT)
            assert not arrival.add(head)
            assert not arrival.must_invite()

    def test_gunicorn_sends_none_of_its_own(self) -> None:
        arrival = Arrival(CONFIG, CLIENT)
        assert arrival.add(self.HEAD + b"hello")
        assert not arrival.request._expected_100_continue


def test_a_body_that_ends_too_early_is_not_taken_for_the_whole() -> None:
    arrival = Arrival(CONFIG, CLIENT)
    assert not arrival.add(POST + b"Content-Length: 50\r\n\r\n{}")
    assert arrival.end()
    assert arrival.is_last
    with pytest.raises(NoMoreData):
        arrival.request.body.read()


def test_a_head_that_ends_too_early_is_nothing() -> None:
    arrival = Arrival(CONFIG, CLIENT)
    assert not arrival.add(b"GET /api")
    assert not arrival.end()
