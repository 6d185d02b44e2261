"""What is read in one look is what gunicorn's own parser reads; all else is left to it."""

import socket

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser, wsgi
from hypothesis import given
from hypothesis import strategies as st

from ragauth.server.plain_http import PlainRequest, read_plain
from tests.cases import for_each

HOST = b"Host: ragauth.test\r\n"
END = b"\r\n"
CLIENT, SERVER = ("192.0.2.7", 4711), ("127.0.0.1", 8000)

_words = st.text("abcXYZ019-", min_size=1, max_size=8)
_values = st.text([chr(code) for code in range(0x20, 0x7F)], min_size=1, max_size=20).filter(
    lambda value: value == value.strip()
)
_headers = st.lists(st.tuples(_words.map(lambda word: f"X-{word}"), _values), max_size=4)
_pieces = st.sampled_from(
    [
        *("GET ", "POST ", "get ", "/api/v1/authorize", "/a%20b", "?scope=query&x=%2F", "#x", " "),
        *(
            " HTTP/1.1\r\n",
            " HTTP/1.0\r\n",
            "\r\n",
            "\n",
            "Host: a\r\n",
            "Host : a\r\n",
            "A: b\r\n",
        ),
        *("Content-Length: 2\r\n", "content-length: 02\r\n", "Content-Length: -1\r\n", "A:b\r\n"),
        *("Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n", "Connection: close\r\n"),
        *(
            "Connection: Upgrade\r\n",
            "Content-Type: application/json\r\n",
            "A_B: c\r\n",
            " fold\r\n",
        ),
        *("A: b\r\n", "A: \x00\r\n", "A: \xe9\r\n", "{}", "X-API-Key: rag_live_x\r\n"),
    ]
)


def read_by_gunicorn(data: bytes) -> tuple[dict[str, object], bytes, bool]:
    """WSGI's environment, the body, and whether the connection is kept."""
    here, there = socket.socketpair()
    with here, there:
        here.sendall(data)
        here.shutdown(socket.SHUT_WR)
        config = Config()
        request = next(get_parser(config, there, CLIENT))
        _, environ = wsgi.create(request, there, CLIENT, SERVER, config)
        return dict(environ), environ["wsgi.input"].read(), not request.should_close()


def assert_alike(data: bytes, plain: PlainRequest) -> None:
    environ, body, is_kept = read_by_gunicorn(data)
    ours = dict(plain.environ)
    assert ours.pop("wsgi.input").read() == body
    assert ours == {name: environ[name] for name in ours}
    theirs = {name for name in environ if name.startswith(("HTTP_", "CONTENT_"))}
    assert theirs == {name for name in ours if name.startswith(("HTTP_", "CONTENT_"))}
    assert plain.is_kept == is_kept


class TestPlainRequests:
    @for_each(
        "data",
        [
            b"GET /api/v1/authorize HTTP/1.1\r\n" + HOST + END,
            b"GET /api/v1/authorize?scope=query&x=%2F HTTP/1.1\r\nX-API-Key: a\r\n" + HOST + END,
            b"DELETE /api/v1/authorize/any/path? HTTP/1.1\r\nCookie: a=b; c=d\r\n" + HOST + END,
            b"GET /a HTTP/1.1\r\nConnection: close\r\n" + HOST + END,
            b"GET /a HTTP/1.1\r\nConnection: Keep-Alive\r\n" + HOST + END,
            b"POST /a HTTP/1.1\r\ncontent-length: 0\r\n" + HOST + END,
            b"POST /a HTTP/1.1\r\nContent-Type: a/b\r\nContent-Length: 2\r\n" + HOST + END + b"{}",
        ],
    )
    def test_are_read_as_gunicorn_reads_them(self, data: bytes) -> None:
        plain = read_plain(data)
        assert plain is not None
        assert plain.length == len(data)
        assert_alike(data, plain)

    def test_the_next_request_is_left_for_later(self) -> None:
        first = b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n" + HOST + END + b"{}"
        plain = read_plain(first + b"GET / HTTP/1.1\r\n")
        assert plain is not None
        assert plain.length == len(first)

    @given(path=_words, headers=_headers, body=st.binary(max_size=20))
    def test_of_any_kind_too(self, path: str, headers: list[tuple[str, str]], body: bytes) -> None:
        lines = [f"{name}: {value}" for name, value in headers]
        lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([f"POST /{path} HTTP/1.1", "Host: a", *lines])
        data = head.encode() + b"\r\n\r\n" + body
        plain = read_plain(data)
        if plain is None:
            assert len({name.upper() for name, _ in headers}) < len(headers)
        else:
            assert_alike(data, plain)


class TestEverythingElse:
    @for_each(
        "data",
        [
            b"",
            b"GET /api/v1/auth",
            b"GET /a HTTP/1.1\r\n" + HOST,
            b"GET /a HTTP/1.1\r\n" + END,
            b"GET /a HTTP/1.1\r\nX: y\r\n" + END,
            b"GET /a HTTP/1.0\r\n" + HOST + END,
            b"GET /a?b#c HTTP/1.1\r\n" + HOST + END,
            b"CONNECT /a HTTP/1.1\r\n" + HOST + END,
            b"GET /" + b"a" * 4090 + b" HTTP/1.1\r\n" + HOST + END,
            b"GET /a%20b HTTP/1.1\r\n" + HOST + END,
            b"GET http://ragauth.test/a HTTP/1.1\r\n" + HOST + END,
            b"GET /a HTTP/1.1\r\nA_B: c\r\n" + HOST + END,
            b"GET /a HTTP/1.1\r\nA : c\r\n" + HOST + END,
            b"GET /a HTTP/1.1\r\nA: b\r\n c\r\n" + HOST + END,
            b"GET /a HTTP/1.1\nHost: a\n\n",
            b"GET /a HTTP/1.1\r\nA: \x00\r\n" + HOST + END,
            b"GET /a HTTP/1.1\r\n" + HOST + HOST + END,
            b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\n" + HOST + END,
            b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + END + b"0\r\n\r\n",
            b"POST /a HTTP/1.1\r\nExpect: 100-continue\r\n" + HOST + END,
            b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n" + HOST + END + b"{}",
            b"POST /a HTTP/1.1\r\nContent-Length: +2\r\n" + HOST + END + b"{}",
            b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n" + HOST + END + b"{}",
        ],
    )
    def test_is_not_read_here(self, data: bytes) -> None:
        assert read_plain(data) is None

    @given(pieces=st.lists(_pieces, min_size=3, max_size=8))
    def test_what_is_read_of_scrambled_requests_gunicorn_reads_alike(
        self, pieces: list[str]
    ) -> None:
        data = "".join(["GET /a HTTP/1.1\r\n", *pieces, "\r\n"]).encode("latin-1")
        plain = read_plain(data)
        if plain is not None:
            assert_alike(data, plain)


@pytest.fixture(autouse=True)
def no_script_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCRIPT_NAME", raising=False)
