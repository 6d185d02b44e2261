"""Where background work is done, and when it begins: once in a process, after the fork."""

import atexit
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from flask import Flask

from ragauth.services.outbox.bell import Bell

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class BackgroundWork(Protocol):
    """One kind of work."""

    def run(self) -> None:
        """Work until the process ends or `stop` is called."""

    def stop(self) -> None:
        """End the work in good order, within seconds."""


class Background:
    """Runs each kind of work in a thread.

    Threads do not survive a fork: each process starts its own.

    A server with a process for background work beside the workers calls `leave_to_process_beside`
    before the fork. A server with a hook for the start of a worker calls `ensure_started` in it
    (`ragauth.gunicorn_conf`). Under any other server `StartedByRequest` calls it at the first
    request of the process. Nothing starts in an application that is `testing`: no server received
    its requests.
    """

    def __init__(self, app: Flask, bells: Iterable[Bell], **works: BackgroundWork) -> None:
        self._app = app
        self._bells = tuple(bells)
        self._works = works
        self._lock = threading.Lock()
        self._is_left_to_another = False
        self._is_seen_to = False
        self._is_running = False
        _made.add(self)

    def leave_to_process_beside(self) -> None:
        """Leave the work to one process: others that are forked from now on start nothing."""
        for bell in self._bells:
            bell.share()
        self._is_left_to_another = self._is_seen_to = True

    def ensure_started(self) -> None:
        if self._is_seen_to or self._app.testing:
            return
        with self._lock:
            if not self._is_seen_to:
                self._start()
                atexit.register(self._stop)
                self._is_seen_to = True

    def run_until(self, wait_for_end: Callable[[], None]) -> None:
        """Do all work until `wait_for_end` returns; called in the process beside the workers."""
        self._start()
        wait_for_end()
        self._stop()

    def after_fork(self) -> None:
        """Reset the state in a child, where the parent's threads do not exist."""
        self._lock = threading.Lock()
        self._is_seen_to = self._is_left_to_another
        self._is_running = False

    def _start(self) -> None:
        self._is_running = True
        for name, work in self._works.items():
            threading.Thread(target=work.run, name=name, daemon=True).start()

    def _stop(self) -> None:
        if not self._is_running:
            return
        stops = [threading.Thread(target=work.stop) for work in self._works.values()]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()


_made: WeakSet[Background] = WeakSet()


def _after_fork() -> None:
    for background in list(_made):
        background.after_fork()


# A hook costs nothing at each request; os.getpid() is a system call.
os.register_at_fork(after_in_child=_after_fork)


class StartedByRequest:
    """A WSGI wrapper: at each request it makes sure that the background work is running."""

    def __init__(self, application: "WSGIApplication", background: Background) -> None:
        self.application = application
        self._ensure_started = background.ensure_started

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        self._ensure_started()
        return self.application(environ, start_response)

    def answer_round(self, environs: "Sequence[WSGIEnvironment]") -> Any:
        """See `Gate.answer_round`."""
        self._ensure_started()
        return self.application.answer_round(environs)  # type: ignore[attr-defined]
