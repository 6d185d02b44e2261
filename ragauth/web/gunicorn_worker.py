"""gunicorn's threaded worker, fit for key checks: answered where they arrive, refused in JSON."""

import json
import logging
import selectors
import socket
import sys
import time
import uuid
from functools import partial
from typing import Any

from gunicorn import SERVER, util
from gunicorn.glogging import Logger
from gunicorn.http import errors as http_errors
from gunicorn.workers import base
from gunicorn.workers.gthread import ThreadWorker

from ragauth import clock
from ragauth.metrics import note_unreadable
from ragauth.services.hashing import hashing_gate
from ragauth.web.login_shedding import MUST_NOT_WAIT
from ragauth.web.pace import Pace
from ragauth.web.paths import LOGIN, VERIFY, is_authorize
from ragauth.web.plain_http import LONGEST, PlainRequest, read_plain

log = logging.getLogger("ragauth")

_CLIENT_FAULTS: dict[type[Exception], tuple[int, str]] = {
    http_errors.LimitRequestLine: (414, "URI Too Long"),
    http_errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    http_errors.ExpectationFailed: (417, "Expectation Failed"),
    http_errors.UnsupportedTransferCoding: (501, "Not Implemented"),
    http_errors.ParseException: (400, "Bad Request"),
}


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
            super().enqueue_req(conn)
        elif not conn.data_ready:
            conn.set_timeout()
            self.pending_conns.append(conn)
            callback = partial(self.on_pending_socket_readable, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, callback)
        elif (plain := self._find_quick_request(conn)) is not None:
            conn.init()
            conn.sock.setblocking(False)
            callback = partial(self.on_client_socket_readable, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, callback)
            self._answer_and_keep(conn, plain)
        else:
            super().enqueue_req(conn)

    def on_client_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """A kept connection has its next request, or was closed by the client."""
        plain = self._find_quick_request(conn)
        if plain is None:
            super().on_client_socket_readable(conn, client)
        else:
            self.keepalived_conns.remove(conn)
            self._answer_and_keep(conn, plain)

    def _find_quick_request(self, conn: Any) -> PlainRequest | None:
        """A key check, or a login that there is no place to hash for; None for everything else."""
        is_tcp = isinstance(conn.client, tuple)
        if not is_tcp or not self.alive or not self._pace.is_quick(time.perf_counter()):
            return None
        try:
            plain = read_plain(conn.sock.recv(LONGEST, socket.MSG_PEEK))
        except OSError:
            return None
        if plain is None:
            return None
        path = plain.environ["PATH_INFO"]
        if is_authorize(path) or path == VERIFY:
            return plain
        is_shed = path == LOGIN and hashing_gate.free_places <= 0
        # A browser's needs the headers of CORS, which are the application's.
        return plain if is_shed and "HTTP_ORIGIN" not in plain.environ else None

    def _answer_and_keep(self, conn: Any, plain: PlainRequest) -> None:
        """Answer, and put the connection at the end of those kept: they are in order of time."""
        if self._answer(conn, plain) and len(self.keepalived_conns) < self.max_keepalived:
            conn.set_timeout()
            self.keepalived_conns.append(conn)
        else:
            self.poller.unregister(conn.sock)
            self.nr_conns -= 1
            conn.close()

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
            is_kept = self.alive and plain.is_kept
            environ = self._server_environ(conn) | plain.environ
            conn.sock.sendall(_run(self.wsgi, environ, is_kept=is_kept))
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

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        request_id = uuid.uuid4().hex
        status, reason = next(
            (answer for kind, answer in _CLIENT_FAULTS.items() if isinstance(exc, kind)),
            (500, "Internal Server Error"),
        )
        extra = {"request_id": request_id, "status": status, "ip": addr[0] if addr else None}
        if status == 500:
            log.error("unhandled exception in the server", extra=extra, exc_info=exc)
        else:
            log.warning("not HTTP", extra={**extra, "cause": type(exc).__name__})
        note_unreadable(status)
        try:
            util.write_nonblock(client, _error_answer(status, reason, request_id))
        except OSError as error:
            log.info("the client was gone", extra={**extra, "cause": type(error).__name__})


class ErrorLogger(Logger):
    """gunicorn's logger without its access log, for which it would gather a hundred words of each
    request: the application writes a line of its own.
    """

    def access(self, *_args: object) -> None:
        """Write nothing."""


def _run(application: Any, environ: dict[str, Any], *, is_kept: bool) -> bytes:
    """The whole answer of a WSGI application that gives its length; its headers are its own."""
    status, headers = "", []

    def start_response(a_status: str, a_headers: list[tuple[str, str]], _error: Any = None) -> None:
        nonlocal status, headers
        status, headers = a_status, a_headers

    result = application(environ, start_response)
    try:
        body = b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    lines = [
        f"HTTP/1.1 {status}",
        f"Server: {SERVER}",
        f"Date: {clock.http_date()}",
        f"Connection: {'keep-alive' if is_kept else 'close'}",
        *(f"{name}: {value}" for name, value in headers),
        "\r\n",
    ]
    return "\r\n".join(lines).encode("latin-1") + body


def _error_answer(status: int, reason: str, request_id: str) -> bytes:
    error: dict[str, Any] = {"code": "VALIDATION_ERROR", "message": reason}
    if status == 500:
        error = {
            "code": "INTERNAL_ERROR",
            "message": reason,
            "details": {"request_id": request_id},
        }
    body = json.dumps({"error": error}).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"X-Request-Id: {request_id}\r\n\r\n"
    )
    return head.encode("ascii") + body
