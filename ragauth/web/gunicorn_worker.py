"""gunicorn's threaded worker, fit for key checks: answered where they arrive, refused in JSON."""

import logging
import selectors
import socket
import struct
import sys
import time
from collections import deque
from functools import partial
from typing import Any

from gunicorn.workers import base
from gunicorn.workers.gthread import ThreadWorker

from ragauth.web.login_shedding import MUST_NOT_WAIT, is_to_be_shed
from ragauth.web.pace import Pace
from ragauth.web.paths import LOGIN, VERIFY, is_authorize
from ragauth.web.plain_http import LONGEST, PlainRequest, read_plain
from ragauth.web.server_answers import answer_fault, run_application

log = logging.getLogger("ragauth")

_LINGER_SECONDS = 2.0
_MOST_UNREAD_BYTES = 64 * 1024
# A thread of the pool waits so long for a client's next bytes, or for one that reads: a `timeval`.
_LONGEST_WAIT = struct.pack("ll", 15, 0)


class Worker(ThreadWorker):
    """Answers key checks in the thread that polls the sockets, everything else in the pool.

    To hand a request to a thread, and its connection back, costs several times what the check
    does: each hand-over waits for the GIL. What is quick by design has no need of a thread. Once
    it is not quick (a database far away, or in trouble) it goes to the pool as well.

    It answers in JSON to what it cannot read as HTTP, before any application is asked.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pace = Pace()
        self._lingering: deque[Any] = deque()
        self._is_quitting = False

    def init_process(self) -> None:
        # A request reads some thirty settings, each through three calls: plain attributes here.
        vars(self.cfg).update({name: s.get() for name, s in self.cfg.settings.items()})
        super().init_process()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End at once. Ctrl-C comes twice: from the terminal, and as SIGQUIT of the master.

        ThreadWorker's takes the pool's lock, which the thread that it interrupts may hold: it
        would wait for itself until the master kills it, 30 s later. Python ends the pool anyway.
        """
        if not self._is_quitting:
            self._is_quitting = True
            base.Worker.handle_quit(self, sig, frame)

    def enqueue_req(self, conn: Any) -> None:
        """A new connection waits for its first request in the poller, not in a thread."""
        if conn.initialized or self.cfg.is_ssl:
            _bound_waits(conn.sock)
            super().enqueue_req(conn)
        elif not conn.data_ready:
            conn.set_timeout()
            self._await_head(conn)
        elif (data := _peek(conn)) is None:
            self._await_head(conn)
        elif (plain := self._find_quick_request(conn, data)) is not None:
            conn.init()
            conn.sock.setblocking(False)
            callback = partial(self.on_client_socket_readable, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, callback)
            self._answer_and_keep(conn, plain)
        else:
            _bound_waits(conn.sock)
            super().enqueue_req(conn)

    def on_client_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """A kept connection has its next request, or was closed by the client."""
        data = b"" if self.cfg.is_ssl else _peek(conn)
        if data is None:
            return
        plain = self._find_quick_request(conn, data)
        if plain is None:
            super().on_client_socket_readable(conn, client)
        else:
            self.keepalived_conns.remove(conn)
            self._answer_and_keep(conn, plain)

    def _await_head(self, conn: Any) -> None:
        """Until the end of its time, which goes on whatever it sends meanwhile."""
        self.pending_conns.append(conn)
        callback = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, callback)

    def _find_quick_request(self, conn: Any, data: bytes) -> PlainRequest | None:
        """A key check, or a login that there is no place to hash for; None for everything else."""
        is_tcp = isinstance(conn.client, tuple)
        if not is_tcp or not self.alive or not self._pace.is_quick(time.perf_counter()):
            return None
        plain = read_plain(data)
        if plain is None:
            return None
        path = plain.environ["PATH_INFO"]
        if is_authorize(path) or path == VERIFY:
            return plain
        if path == LOGIN and is_to_be_shed(self.wsgi, plain.environ, conn.client[0]):
            return plain
        return None

    def _answer_and_keep(self, conn: Any, plain: PlainRequest) -> None:
        """Answer, and put the connection at the end of those kept: they are in order of time."""
        if self._answer(conn, plain):
            conn.set_timeout()
            self.keepalived_conns.append(conn)
        else:
            self.poller.unregister(conn.sock)
            self._linger(conn)

    def _answer(self, conn: Any, plain: PlainRequest) -> bool:
        """Answer the request at hand; False when the connection must close.

        The socket does not block: a client that does not read its answers loses its connection,
        and holds up nobody.
        """
        started_at, worked_at = time.perf_counter(), time.thread_time()
        try:
            conn.sock.recv(plain.length)
            self.nr += 1
            if self.nr >= self.max_requests:
                self.log.info("Autorestarting worker after current request.")
                self.alive = False
            has_room = len(self.keepalived_conns) < self.max_keepalived
            is_kept = self.alive and has_room and plain.is_kept
            environ = self._server_environ(conn) | plain.environ
            conn.sock.sendall(run_application(self.wsgi, environ, is_kept=is_kept))
            return is_kept
        except OSError as error:
            self.log.debug("closing a connection: %r", error)
        except Exception as error:
            self.handle_error(None, conn.sock, conn.client, error)
        finally:
            now = time.perf_counter()
            self._pace.note(now - started_at - (time.thread_time() - worked_at), now)
        return False

    def _server_environ(self, conn: Any) -> dict[str, Any]:
        """What the server adds to a plain request (PEP 3333), and that its thread must not wait."""
        (host, port, *_), (client_host, client_port, *_) = conn.server, conn.client
        return {
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": client_host,
            "REMOTE_PORT": str(client_port),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            MUST_NOT_WAIT: True,
        }

    def finish_request(self, conn: Any, fs: Any) -> None:
        """The pool is done with a request; a connection that ends here does so without waiting."""
        if not fs.cancelled() and fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def _linger(self, conn: Any) -> None:
        """Close once the client has, or after a while: it may still be reading the answer.

        RFC 9112 section 9.6, in the poller: gunicorn's own way blocks the thread that answers the
        key checks for two seconds.
        """
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError, KeyError):
            self.nr_conns -= 1
            conn.close()
            return
        conn.timeout = time.monotonic() + _LINGER_SECONDS
        conn.unread_bytes = 0
        self._lingering.append(conn)

    def _drain(self, conn: Any, client: socket.socket) -> None:
        """Drop what the client still sends, up to a bound."""
        try:
            received = len(client.recv(LONGEST))
        except BlockingIOError:
            return
        except OSError:
            received = 0
        conn.unread_bytes += received
        if not received or conn.unread_bytes > _MOST_UNREAD_BYTES:
            self._lingering.remove(conn)
            self._drop(conn)

    def murder_pending(self) -> None:
        super().murder_pending()
        while self._lingering and self._lingering[0].timeout <= time.monotonic():
            self._drop(self._lingering.popleft())

    def _drop(self, conn: Any) -> None:
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer in JSON what could not be read as HTTP, or went wrong in the server itself."""
        answer_fault(client, addr, exc)


def _peek(conn: Any) -> bytes | None:
    """What has arrived; None while it is the beginning of a head: no thread waits for the rest.

    The poller is told to wake up for more than is there now.
    """
    try:
        data: bytes = conn.sock.recv(LONGEST, socket.MSG_PEEK)
        if data and b"\r\n\r\n" not in data and len(data) < LONGEST:
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(data) + 1)
            conn.awaits_more = True
            return None
        if getattr(conn, "awaits_more", False):
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            conn.awaits_more = False
    except OSError:
        # The pool finds out, and closes it.
        return b""
    return data


def _bound_waits(client: socket.socket) -> None:
    """For a socket that a thread of the pool is to read and write: none waits for ever."""
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        client.setsockopt(socket.SOL_SOCKET, option, _LONGEST_WAIT)
