"""A client's connection in the worker: what it has sent, and what it has not read yet.

Its socket never blocks. The poller reads from it; a thread may send what fits at once.
"""

import socket
import struct
from collections import OrderedDict
from typing import Any

from ragauth.server.answers import server_environ
from ragauth.server.request_arrival import Arrival

READ_BYTES = 8192
# Seconds that a pool thread waits, with TLS, for a client to send or to read.
_LONGEST_WAIT = struct.pack("ll", 15, 0)


class Connection:
    """One client, until it or the worker closes."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.client = client
        self.server = server
        # Set by `ragauth.server.lines`.
        self.line: OrderedDict[Connection, float] | None = None
        self.watched = 0
        self.is_kept = True
        self.is_gone = False
        self.is_closed = False
        self.unsent: bytes | memoryview = b""
        # Bytes that arrived; they are read after the answer to the present request is sent.
        self.waiting = b""
        self.unread_bytes = 0
        self.held_bytes = 0
        self._environ: dict[str, Any] | None = None
        self._cfg = cfg
        self._arrival: Arrival | None = None

    @property
    def arrival(self) -> Arrival:
        """Made at its first use: key checks do not need it."""
        if self._arrival is None:
            self._arrival = Arrival(self._cfg, self.client)
        return self._arrival

    @property
    def environ(self) -> dict[str, Any]:
        """What the server adds to each plain request of this client; not to be changed."""
        if self._environ is None:
            self._environ = server_environ(self.client, self.server)
        return self._environ

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request is there."""
        arrival = self._arrival
        return arrival is not None and (arrival.has_begun or arrival.request is not None)

    def send(self, data: bytes) -> None:
        """Send what the client takes now, and keep the rest; an invitation may be unsent still."""
        self.unsent = b"".join((self.unsent, data)) if self.unsent else data
        self.send_on()

    def send_on(self) -> None:
        """Send as much of the kept data as the client takes now."""
        try:
            sent = self.sock.send(self.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.is_gone = True
            sent = len(self.unsent)
        self.unsent = memoryview(self.unsent)[sent:] if sent < len(self.unsent) else b""

    def close(self) -> None:
        self.sock.close()


class Wire:
    """What gunicorn takes for the socket while it answers: it gathers the answer.

    The connection's own socket must not block, and must not be closed in a thread.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self._parts.append(data)

    def gathered(self) -> bytes:
        return b"".join(self._parts)

    def shutdown(self, _how: int) -> None:
        """Do nothing: gunicorn calls this if an answer fails midway; the poller closes."""
        raise OSError

    def close(self) -> None:
        """Do nothing: the poller closes the connection."""


def is_read_by_gunicorn(cfg: Any) -> bool:
    """Whether gunicorn reads, in its threads: TLS, or not HTTP/1.1 from the first byte on."""
    return bool(
        cfg.is_ssl
        or cfg.protocol != "http"
        or cfg.proxy_protocol != "off"
        or cfg.http2_cleartext != "off"
    )


def bound_waits(client: socket.socket) -> None:
    """Set time-outs on a socket that a pool thread reads and writes, so none waits for ever."""
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        client.setsockopt(socket.SOL_SOCKET, option, _LONGEST_WAIT)
