"""A client's connection in the worker: what the client has sent, and what it has not read yet.

The socket never blocks. The poller reads from it; a thread may send what fits at once.
"""

import socket
import struct
from collections import OrderedDict
from typing import Any

from ragauth.server.answers import server_environ
from ragauth.server.request_arrival import Arrival

READ_BYTES = 8192
# With TLS, how many seconds a pool thread waits for a client to send or to read.
_LONGEST_WAIT = struct.pack("ll", 15, 0)


class Connection:
    """One client, until the client or the worker closes the connection."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.client = client
        self.server = server
        # Set by `ragauth.server.lines`.
        self.line: OrderedDict[Connection, float] | None = None
        self.watched = 0
        self.is_kept = True
        # Whether its request waits for its turn (`ragauth.server.turns`) or its round (`rounds`).
        self.has_turn = False
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
        """The request that is arriving; made at its first use, since key checks do not need it."""
        if self._arrival is None:
            self._arrival = Arrival(self._cfg, self.client)
        return self._arrival

    @property
    def environ(self) -> dict[str, Any]:
        """The server's part of each plain request's environ; it must not be changed."""
        if self._environ is None:
            self._environ = server_environ(self.client, self.server)
        return self._environ

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request has arrived."""
        arrival = self._arrival
        return arrival is not None and (arrival.has_begun or arrival.request is not None)

    def send(self, data: bytes) -> None:
        """Send what the client takes now, and keep the rest behind an unsent invitation, if any."""
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
    """Given to gunicorn in place of the socket: gathers the answer that gunicorn writes.

    The connection's own socket must not block, and must not be closed in a thread.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self._parts.append(data)

    def gathered(self) -> bytes:
        return b"".join(self._parts)

    def shutdown(self, _how: int) -> None:
        """Refuse: gunicorn calls this if an answer fails midway, but closing is the poller's."""
        raise OSError

    def close(self) -> None:
        """Do nothing: the poller closes the connection."""


def is_read_by_gunicorn(cfg: Any) -> bool:
    """Whether gunicorn must read from clients itself, in threads: for TLS or another protocol."""
    return bool(
        cfg.is_ssl
        or cfg.protocol != "http"
        or cfg.proxy_protocol != "off"
        or cfg.http2_cleartext != "off"
    )


def bound_waits(client: socket.socket) -> None:
    """Set time-outs on a socket that a pool thread uses, so that no thread waits for ever."""
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        client.setsockopt(socket.SOL_SOCKET, option, _LONGEST_WAIT)
