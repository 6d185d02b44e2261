"""gunicorn's threaded worker, adapted to key checks: only its poller waits for clients."""

import logging
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any

from gunicorn.workers import base
from gunicorn.workers.gthread import ThreadWorker

from ragauth.config import mounted_at
from ragauth.deadlines import WouldWait, counted_from
from ragauth.server.answers import (
    CONTINUE,
    RequestTimeout,
    answer_bytes,
    answer_fault,
    fault_answer,
)
from ragauth.server.connection import READ_BYTES, Connection, Wire, bound_waits, is_read_by_gunicorn
from ragauth.server.lines import Line, Lines
from ragauth.server.plain_http import PlainRequest
from ragauth.server.pool_watch import PoolWatch
from ragauth.server.quick_requests import is_check, is_login
from ragauth.server.refusals import Refusals
from ragauth.server.rounds import Rounds
from ragauth.server.shortages import NO_CONNECTION, SHORTAGES, log_fault, log_shortage
from ragauth.server.turns import Turns
from ragauth.web.paths import HEALTHZ

log = logging.getLogger("ragauth")

# How long a client has when the worker stops, also for its next request: as long as keep-alive.
_STOP_SECONDS = 5.0
_PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 0.2
# How much of what a client sends after its last answer is read and dropped.
_MOST_DROPPED_BYTES = 1024 * 1024
# All threads of the pool may work on one request each for this many times gunicorn's `timeout`.
_POOL_TIMEOUTS = 2


class Worker(ThreadWorker):
    """Reads requests in the thread that polls the sockets, and answers key checks there.

    A thread of the pool gets a request when all of it has arrived, and never waits for a client:
    the poller also sends what a client does not read at once. Each waiting connection is in one
    line, and its wait has an end.

    A hand-over to a thread and back costs several times as much as a check. So quick requests get
    no thread, unless they turn slow (see `Pace`). What is not HTTP gets an answer in JSON here.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turns = Turns()
        self._rounds = Rounds(self._turns.of_checks)
        # For the liveness probe, which must not wait behind requests that wait for a database.
        self._probe_pool = ThreadPoolExecutor(1)
        self._probe_paths = (HEALTHZ, mounted_at() + HEALTHZ)
        self._pool_watch = PoolWatch(self.cfg.threads, _POOL_TIMEOUTS * self.cfg.timeout)
        self._is_quitting = False
        self._is_gunicorns = is_read_by_gunicorn(self.cfg)
        self._refusals = Refusals()
        self._lines = Lines(self.cfg.keepalive)
        self._next_look = self._accepts_from = 0.0

    def init_process(self) -> None:
        # A request reads about thirty settings, each through three calls: make them attributes.
        vars(self.cfg).update({name: s.get() for name, s in self.cfg.settings.items()})
        super().init_process()

    def run(self) -> None:
        super().run()
        self._pool_watch.end_if_hanging()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End at once. Ctrl-C comes twice: from the terminal, and as SIGQUIT of the master.

        ThreadWorker's handler takes the pool's lock, which the interrupted thread may hold: a
        deadlock until the master kills the worker 30 s later. Python ends the pool at exit anyway.
        """
        if not self._is_quitting:
            self._is_quitting = True
            base.Worker.handle_quit(self, sig, frame)

    # New connections

    def accept(self, listener: socket.socket) -> None:
        """Accept a new connection; pause a little if there are no files or no memory for it.

        gunicorn would end the worker at such an error. accept(2) also reports network errors of
        connections that are not accepted yet.
        """
        try:
            if self._is_gunicorns:
                super().accept(listener)
                return
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in NO_CONNECTION:
                log_shortage(error)
                if error.errno not in SHORTAGES or not self._make_room():
                    self._accepts_from = time.monotonic() + _PAUSE_SECONDS
                    self.set_accept_enabled(False)
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        conn = Connection(self.cfg, client, address, listener.getsockname())
        self._lines.heads.join(conn)
        self._guard(conn, self._watch, selectors.EVENT_READ)

    def set_accept_enabled(self, enabled: bool | None) -> None:
        if not enabled or time.monotonic() >= self._accepts_from:
            super().set_accept_enabled(enabled)

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        longest = _PAUSE_SECONDS if time.monotonic() < self._accepts_from else timeout
        try:
            longest = self._turns.longest_wait(self._refusals.longest_wait(longest))
            super().wait_for_and_dispatch_events(self._rounds.longest_wait(longest))
            self._answer_rounds()
            self._turns.take(lambda conn, plain: self._guard(conn, self._answer_alone, plain))
            self._refusals.take(lambda conn: self._guard(conn, self._take))
            self._answer_rounds()
        except MemoryError as error:
            # What was not dispatched is ready in the next round too.
            log_fault(error)

    def _make_room(self) -> bool:
        """Close the connection that can best be done without, if one waits at all."""
        conn = self._lines.first_to_go() or self._refusals.first_to_go()
        if conn is not None:
            self._drop(conn)
        return conn is not None

    # Events of a connection

    def _watch(self, conn: Connection, events: int) -> None:
        if events == conn.watched:
            return
        if not events:
            self.poller.unregister(conn.sock)
        elif conn.watched:
            self.poller.modify(conn.sock, events, self.poller.get_key(conn.sock).data)
        else:
            self.poller.register(conn.sock, events, partial(self._guard, conn, self._go_on_with))
        conn.watched = events

    def _guard(self, conn: Connection, step: Any, *arguments: Any) -> None:
        """Run a step; an error ends the connection, never the worker."""
        try:
            try:
                step(conn, *arguments)
            except OSError as error:
                log.debug("closing a connection: %r", error)
                self._drop(conn)
            except Exception as error:
                self._refuse(conn, error)
        except Exception as error:
            self._drop(conn)  # First: the log line may need the memory that this frees.
            log_fault(error)

    def _go_on_with(self, conn: Connection, _sock: socket.socket) -> None:
        if conn.line is self._lines.unsent:
            conn.send_on()
            if self._settle(conn, is_kept=conn.is_kept):
                self._take(conn)
        elif conn.line is self._lines.lingering:
            self._drop_what_comes(conn)
        elif not conn.has_turn:
            self._read(conn)

    def _read(self, conn: Connection) -> None:
        try:
            conn.waiting = conn.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        if conn.waiting:
            self._take(conn)
        elif conn.has_begun and conn.arrival.end():
            self._submit(conn)
        else:
            self._drop(conn)

    def _take(self, conn: Connection) -> None:
        """Do what follows for the first request of what has arrived."""
        if not conn.waiting:
            return
        plain = self._turns.find(self.wsgi, conn) if self.alive else None
        if plain is None:
            self._collect(conn)
        elif is_check(plain):
            self._rounds.join(conn, plain)
        elif not is_login(plain):
            self._turns.join(conn, plain)
        elif self._refusals.puts_off(conn):
            Line.leave(conn)
            self._watch(conn, 0)
        else:
            self._answer_alone(conn, plain)

    def _collect(self, conn: Connection) -> None:
        """Keep an incomplete request; a complete one goes to a thread."""
        data, conn.waiting = conn.waiting, b""
        if conn.arrival.add(data):
            self._submit(conn)
            return
        if conn.arrival.must_invite():
            conn.send(CONTINUE)
        line = self._lines.heads if conn.arrival.request is None else self._lines.bodies
        if conn.line is not line:
            line.join(conn)
        self._hold(conn, conn.arrival.held_bytes)

    def _hold(self, conn: Connection, count: int) -> None:
        """Note how much is kept for a client; above the bound, drop who has waited longest."""
        self._lines.hold(conn, count)
        while (holding := self._lines.first_of_those_that_hold_too_much()) is not None:
            self._drop(holding)

    def _submit(self, conn: Connection) -> None:
        Line.leave(conn)
        self._watch(conn, 0)
        self.enqueue_req(conn)

    # Answers

    def _answer_rounds(self) -> None:
        for conn, *reply in self._rounds.replies(self.wsgi):
            self._guard(conn, self._reply, *reply)

    def _answer_alone(self, conn: Connection, plain: PlainRequest) -> None:
        self._reply(conn, plain, self._turns.ask(self.wsgi, conn, plain))

    def _reply(self, conn: Connection, plain: PlainRequest, reply: Any) -> None:
        """Do with a request as its reply says, then go on with the next one."""
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, WouldWait):
            self._collect(conn)
            return
        conn.waiting = conn.waiting[plain.length :]
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        is_kept = self.alive and plain.is_kept and self.cfg.keepalive > 0
        conn.send(answer_bytes(*reply, is_kept=is_kept))
        if self._settle(conn, is_kept=is_kept):
            self._take(conn)

    def enqueue_req(self, conn: Any) -> None:
        pool = self.tpool
        if not isinstance(conn, Connection):
            bound_waits(conn.sock)
        elif conn.arrival.request.path in self._probe_paths:
            pool = self._probe_pool
        done = pool.submit(counted_from, time.monotonic(), self.handle, conn)
        done.add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))

    def handle(self, conn: Any) -> Any:
        """Answer a request, in a thread; True if the connection is kept."""
        if not isinstance(conn, Connection):
            return super().handle(conn)
        wire = Wire()
        place: Any = SimpleNamespace(sock=wire, client=conn.client, server=conn.server)
        request: Any = conn.arrival.request
        try:
            with self._pool_watch.request():
                is_kept = self.handle_request(request, place)
            rest = conn.arrival.finish() if is_kept else None
            answer = wire.gathered()
        except Exception as error:
            answer, rest = fault_answer(conn.client, error), None
        conn.send(answer)
        conn.waiting = rest or b""
        return rest is not None

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Called in the poller when the pool has finished a request."""
        if not isinstance(conn, Connection):
            super().finish_request(conn, fs)
            return
        self._hold(conn, 0)
        self._turns.note_end(conn, time.perf_counter())
        self._guard(conn, self._go_on_after, fs)

    def _go_on_after(self, conn: Connection, done: Any) -> None:
        if self._settle(conn, is_kept=not done.cancelled() and done.result()):
            self._take(conn)

    def _settle(self, conn: Connection, *, is_kept: bool) -> bool:
        """Do what follows an answer; True if it is sent and the connection is kept."""
        conn.is_kept = is_kept
        if conn.is_gone:
            self._drop(conn)
        elif conn.unsent:
            if conn.line is not self._lines.unsent:
                self._lines.unsent.join(conn)
                self._watch(conn, selectors.EVENT_WRITE)
            self._hold(conn, len(conn.unsent))
        elif is_kept:
            self._lines.kept.join(conn)
            self._watch(conn, selectors.EVENT_READ)
            return True
        else:
            self._linger(conn)
        return False

    def _refuse(self, conn: Connection, fault: Exception) -> None:
        """Answer what is not HTTP, or an error in this worker, and close."""
        if conn.unsent:
            self._drop(conn)
        else:
            conn.send(fault_answer(conn.client, fault))
            self._settle(conn, is_kept=False)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """As `_refuse`, for connections that gunicorn reads itself."""
        answer_fault(client, addr, exc)

    # Ends

    def _linger(self, conn: Connection) -> None:
        """Close after the client has closed, or after a while: it may still be reading the answer.

        RFC 9112 section 9.6, done in the poller: gunicorn's own way blocks the thread that answers
        key checks for two seconds.
        """
        conn.sock.shutdown(socket.SHUT_WR)
        self._hold(conn, 0)
        self._lines.lingering.join(conn)
        self._watch(conn, selectors.EVENT_READ)

    def _drop_what_comes(self, conn: Connection) -> None:
        """Read and drop bytes, up to a bound: closing with unread bytes would send a reset."""
        try:
            received = len(conn.sock.recv(8 * READ_BYTES))
        except BlockingIOError:
            return
        conn.unread_bytes += received
        if not received:
            self._drop(conn)
        elif conn.unread_bytes > _MOST_DROPPED_BYTES:
            self._watch(conn, 0)

    def murder_pending(self) -> None:
        """End the waits that have lasted too long; called after each round of events."""
        super().murder_pending()
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        if self.alive and self._pool_watch.must_stop():
            self.alive = False
            vars(self.cfg)["graceful_timeout"] = _STOP_SECONDS
        while (conn := self._lines.first_ended_by(now)) is not None:
            self._guard(conn, self._end_wait)
        self._answer_rounds()

    def _end_wait(self, conn: Connection) -> None:
        if (end := self._lines.kept.get(conn)) is not None:
            # The next request may have arrived since the poller looked.
            self._read(conn)
            if self._lines.kept.get(conn) == end:
                self._drop(conn)
        elif conn.line in (self._lines.heads, self._lines.bodies) and conn.has_begun:
            self._refuse(conn, RequestTimeout())
        else:
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """The worker stops: give clients with something under way a little time to finish."""
        super()._cap_keepalive(deadline)  # type: ignore[misc]
        self._lines.hurry(_STOP_SECONDS)
        # Accept what waits now: it is lost with the socket if nobody else listens on it.
        for listener in self.sockets:
            taken = -1
            while taken != self.nr_conns < self.worker_connections:
                taken = self.nr_conns
                self.accept(listener)
            listener.close()

    def _drop(self, conn: Connection) -> None:
        if conn.is_closed:
            return
        conn.is_closed = True
        Line.leave(conn)
        self._lines.hold(conn, 0)
        self.nr_conns -= 1
        try:
            self._watch(conn, 0)
        finally:
            conn.close()
