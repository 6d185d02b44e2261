"""The connection to an endpoint: to public addresses alone, within bounds of time and size.

The name is looked up for each connection, each address is checked, and the very address that was
checked is connected to: an answer of DNS that changes between two look-ups opens nothing. No proxy
of the environment is used and no redirect is followed, because each would let a request end at an
address that was not checked.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import httpcore

from ragauth.security.addresses import Address, is_public

#: Seconds for one attempt, from the connection to the head of the answer.
TIMEOUT_SECONDS = 30.0
# Of an answer's body so much is read, and for so long, that its sender does not see a broken
# connection. What it says is of no interest.
_READ_BYTES = 16 * 1024
_READ_SECONDS = 2.0

IsAllowed = Callable[[Address], bool]


class Attempt(NamedTuple):
    """What an endpoint answered: a status, or why there is none, in words that hold no secret."""

    status: int | None
    cause: str | None


class AddressNotAllowed(Exception):
    """A host's name leads to no address that may be called."""


class Connection:
    """Sends messages to one URL, over one connection where the endpoint keeps it open."""

    def __init__(self, url: str, *, allows_private: bool) -> None:
        self.url = url
        self._target = httpcore.URL(url)
        # With the port, and an IPv6 address in brackets (RFC 9110 section 7.2).
        self._host = url.partition("://")[2].partition("/")[0]
        is_plain = self._target.scheme == b"http"
        self._deadline = _Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=None if is_plain else _trusting(ssl.get_default_verify_paths()),
            max_connections=1,
            retries=0,
            network_backend=_CheckedBackend(
                _rule(allows_private=allows_private, is_plain=is_plain), self._deadline
            ),
        )

    def post(self, body: bytes, headers: Mapping[str, str]) -> Attempt:
        """POST a message once."""
        self._deadline.ends_at = time.monotonic() + TIMEOUT_SECONDS
        all_headers = {"Host": self._host, "Content-Length": str(len(body)), **headers}
        try:
            with self._pool.stream(
                "POST", self._target, headers=list(all_headers.items()), content=body
            ) as response:
                self._read_a_little(response.iter_stream())
                return Attempt(response.status, None)
        except AddressNotAllowed:
            return Attempt(None, "address not allowed")
        except httpcore.TimeoutException:
            return Attempt(None, "timed out")
        except httpcore.ConnectError as error:
            return Attempt(None, _cause_of(error))
        except httpcore.RemoteProtocolError:
            return Attempt(None, "no answer of HTTP")
        except httpcore.NetworkError:
            return Attempt(None, "connection broken")

    def close(self) -> None:
        self._pool.close()

    def _read_a_little(self, pieces: Iterable[bytes]) -> None:
        """Read the beginning of an answer's body; the status counts, however this ends."""
        self._deadline.ends_at = min(self._deadline.ends_at, time.monotonic() + _READ_SECONDS)
        read = 0
        try:
            for piece in pieces:
                read += len(piece)
                if read > _READ_BYTES:
                    return
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
            return


@lru_cache(maxsize=2)
def _trusting(_paths: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    """What verifies certificates; reading all authorities takes 20 ms of the processor."""
    return ssl.create_default_context()


def _rule(*, allows_private: bool, is_plain: bool) -> IsAllowed:
    """Which addresses may be called: without TLS, if at all, only those that are not public."""
    return lambda address: not is_plain if is_public(address) else allows_private


def _cause_of(error: BaseException) -> str:
    """Why there is no connection, without the text of a library."""
    cause: BaseException | None = error
    while cause is not None:
        for kind, words in _CAUSES.items():
            if isinstance(cause, kind):
                return words
        cause = cause.__cause__ or cause.__context__
    return "not reachable"


_CAUSES: dict[type[BaseException], str] = {
    ssl.SSLCertVerificationError: "certificate not valid",
    ssl.SSLError: "no TLS",
    socket.gaierror: "name not found",
    ConnectionRefusedError: "connection refused",
}


class _Deadline:
    """When the present attempt has to end, by the monotonic clock."""

    ends_at = 0.0

    def remaining(self, timeout: type[Exception]) -> float:
        """The seconds until then; raises `timeout` if there are none."""
        seconds = self.ends_at - time.monotonic()
        if seconds <= 0:
            raise timeout
        return seconds


class _BoundedStream(httpcore.NetworkStream):
    """A stream that waits no longer than the attempt may take, however often it is read."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.remaining(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.remaining(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        seconds = self._deadline.remaining(httpcore.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return _BoundedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _CheckedBackend(httpcore.NetworkBackend):
    """Looks a name up, and connects to an address of it that is allowed."""

    def __init__(self, is_allowed: IsAllowed, deadline: _Deadline) -> None:
        self._is_allowed = is_allowed
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError()
        addresses = self._resolve(host, port)
        for number, address in enumerate(addresses):
            # One that never answers leaves their share of the time to those that follow.
            share = self._deadline.remaining(httpcore.ConnectTimeout) / (len(addresses) - number)
            try:
                stream = self._sockets.connect_tcp(address, port, share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _BoundedStream(stream, self._deadline)
        raise failure

    def _resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a host that may be called, in the system's order."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError from error
        addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
        allowed = [each for each in addresses if self._is_allowed(ipaddress.ip_address(each))]
        if not allowed:
            raise AddressNotAllowed
        return allowed
