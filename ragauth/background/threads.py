"""When the work beside requests begins: once in each serving process, after the fork."""

import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Background:
    """A thread for each work. It does not survive a fork, so each process starts its own.

    A server that tells when a worker begins calls `ensure_started` then (`ragauth.gunicorn_conf`);
    under any other one, `StartedByRequest` does at the first request of the process. Nothing starts
    in an application that is `testing`, whose requests no server has received.
    """

    def __init__(self, app: Flask, **works: Callable[[], None]) -> None:
        self._app = app
        self._works = works
        self._lock = threading.Lock()
        self._pid = 0

    def ensure_started(self) -> None:
        if self._pid == os.getpid() or self._app.testing:
            return
        with self._lock:
            if self._pid != os.getpid():
                for name, work in self._works.items():
                    threading.Thread(target=work, name=name, daemon=True).start()
                self._pid = os.getpid()


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
