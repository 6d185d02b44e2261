"""What a serving process does beside its requests: a thread for each, made after the fork."""

import os
import threading
from collections.abc import Callable

from flask import Flask


class Background:
    """Starts with the process's first request: a thread does not survive a fork.

    Nothing starts in an application that is `testing`, whose requests no server has received.
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
