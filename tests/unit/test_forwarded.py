"""What the trusted proxies say of a request, and what only the client claims."""

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragauth.web.forwarded import Forwarded
from tests.cases import for_each

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PROXY, CLIENT = "10.0.0.1", "203.0.113.7"


def seen(proxies: int, **changes: str) -> "WSGIEnvironment":
    """What an application is told of a request that comes from a proxy."""
    told: WSGIEnvironment = {}

    def application(environ: "WSGIEnvironment", _start: "StartResponse") -> list[bytes]:
        told.update(environ)
        return []

    environ: dict[str, Any] = {
        "REMOTE_ADDR": PROXY,
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "upstream:8000",
        "SCRIPT_NAME": "",
        **changes,
    }
    servers_own = dict(environ)
    Forwarded(application, trusted_proxies=proxies)(environ, lambda *_: lambda _data: None)
    # A server may read it again after the answer, as that of `flask run` does.
    assert environ == servers_own
    return told


def address(proxies: int, header: str) -> str | None:
    found: str | None = seen(proxies, HTTP_X_FORWARDED_FOR=header).get("REMOTE_ADDR")
    return found


class TestWithoutAProxy:
    @for_each(
        ("peer", "told"),
        [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("fe80::1%eth0", "fe80::1"),
            ("2001:db8::7", "2001:db8::7"),
        ],
    )
    def test_the_peers_address_is_told_in_its_one_spelling(self, peer: str, told: str) -> None:
        """S40"""
        assert seen(0, REMOTE_ADDR=peer)["REMOTE_ADDR"] == told

    @pytest.mark.parametrize("peer", ["", "unix:", "@abstract"])
    def test_a_peer_on_a_unix_socket_has_no_address(self, peer: str) -> None:
        """S40"""
        assert "REMOTE_ADDR" not in seen(0, REMOTE_ADDR=peer)

    def test_nothing_else_is_believed(self) -> None:
        told = seen(
            0,
            HTTP_X_FORWARDED_FOR=CLIENT,
            HTTP_X_FORWARDED_PROTO="https",
            HTTP_X_FORWARDED_HOST="auth.example.com",
            HTTP_X_FORWARDED_PREFIX="/auth",
        )
        assert told["REMOTE_ADDR"] == PROXY
        assert told["wsgi.url_scheme"] == "http"
        assert (told["HTTP_HOST"], told["SCRIPT_NAME"]) == ("upstream:8000", "")


class TestTheAddress:
    @for_each(
        ("proxies", "header"),
        [
            (1, CLIENT),
            (1, f"198.51.100.1, {CLIENT}"),
            (1, f'", {CLIENT}'),
            (1, f'"198.51.100.1, {CLIENT}'),
            (1, f",,{CLIENT}"),
            (1, f"198.51.100.1,\t{CLIENT}:5678 "),
            (1, f"::ffff:{CLIENT}"),
            (2, f"{CLIENT}, 10.0.0.2"),
            (2, f'", {CLIENT}, 10.0.0.2'),
            (2, f"\\, {CLIENT},unknown"),
            (3, f"198.51.100.1,{CLIENT},,10.0.0.2"),
        ],
    )
    def test_the_outermost_trusted_proxy_tells_it(self, proxies: int, header: str) -> None:
        """S22 and S40: counted from the right, whatever the client wrote to the left."""
        assert address(proxies, header) == CLIENT

    @for_each(
        ("proxies", "header"),
        [
            *((1, header) for header in ("", '"', ",", "unknown", "z" * 60, f"{CLIENT},")),
            *((1, f"{CLIENT}{rest}") for rest in (', "', " 10.0.0.1", ",unknown", ";proto=https")),
            *((2, header) for header in ("", CLIENT, f'"{CLIENT}, 10.0.0.2"', f",{CLIENT}")),
            (3, f"{CLIENT}, 10.0.0.2"),
        ],
    )
    def test_what_is_short_or_cannot_be_read_is_no_address(self, proxies: int, header: str) -> None:
        """S40: above all not the proxy's own."""
        assert address(proxies, header) is None

    def test_without_the_header_there_is_none(self) -> None:
        """S40"""
        assert "REMOTE_ADDR" not in seen(1)

    @given(st.text(st.characters(max_codepoint=255)), st.integers(1, 3))
    def test_nothing_that_a_client_writes_changes_what_proxies_append(
        self, claim: str, proxies: int
    ) -> None:
        """S22"""
        appended = [CLIENT, "10.0.0.3", "10.0.0.2"][:proxies]
        assert address(proxies, ", ".join([claim, *appended])) == CLIENT


class TestTheScheme:
    @for_each(
        ("proxies", "header", "scheme"),
        [
            *((1, header, "https") for header in ("https", "HTTPS", 'http,", https')),
            *((1, header, "http") for header in ("http", "", '"', "https,", "https, http", "on")),
            *((2, header, "https") for header in ("https, http", "http,https,http")),
            *((2, header, "http") for header in ("https", "http, https", ",https")),
        ],
    )
    def test_it_is_https_only_where_the_outermost_trusted_proxy_says_so(
        self, proxies: int, header: str, scheme: str
    ) -> None:
        """S22"""
        told = seen(proxies, HTTP_X_FORWARDED_PROTO=header)
        assert told["wsgi.url_scheme"] == scheme

    def test_how_the_proxy_came_says_nothing_of_the_client(self) -> None:
        assert seen(1, **{"wsgi.url_scheme": "https"})["wsgi.url_scheme"] == "http"


class TestTheHost:
    @for_each(
        ("proxies", "header", "host"),
        [
            (1, "auth.example.com", "auth.example.com"),
            (1, "evil.example, auth.example.com:8443", "auth.example.com:8443"),
            (1, '", [2001:db8::7]:443', "[2001:db8::7]:443"),
            (2, "evil.example,auth.example.com,inner", "auth.example.com"),
            *(
                (1, f"evil.example,{header}", "upstream:8000")
                for header in ("", '"', "a b", "a/b", "a@b", "[::1", "a:b", "a:123456", "\xe4")
            ),
            (2, "evil.example", "upstream:8000"),
        ],
    )
    def test_it_is_the_trusted_one_or_the_nearest_proxys(
        self, proxies: int, header: str, host: str
    ) -> None:
        """S22: never one that stands to the left of what the proxies wrote."""
        assert seen(proxies, HTTP_X_FORWARDED_HOST=header)["HTTP_HOST"] == host


class TestThePrefix:
    @pytest.mark.parametrize("prefix", ["/auth", "/auth/v1", "/a.b/~c_d-e"])
    def test_it_is_where_the_service_is_mounted(self, prefix: str) -> None:
        assert seen(1, HTTP_X_FORWARDED_PREFIX=f"/evil, {prefix}")["SCRIPT_NAME"] == prefix

    @for_each(
        "prefix",
        [
            *("", "/", "auth", "/auth/", "//auth", "/a//b", "/a/../b", "/..", "/./a", "/a/."),
            *("/a b", "/a\x07", "/a\\b", "/a%2Fb", "/a?b", "/a#b", "https://evil.example", '"/a"'),
            *("/a\n", "/\xe4", "/a" * 11, "/" + "a" * 101),
        ],
    )
    def test_one_that_is_none_is_left_out(self, prefix: str) -> None:
        assert seen(1, HTTP_X_FORWARDED_PREFIX=f"/evil,{prefix}")["SCRIPT_NAME"] == ""
