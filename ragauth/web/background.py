"""What a serving process does beside its requests: a thread for each, made after the fork."""

import os
import threading
from collections.abc import Callable


class Background:
    """Starts with the process's first request: a thread does not survive a fork."""

    def __init__(self, **works: Callable[[], None]) -> None:
        self._works = works
        self._lock = threading.Lock()
        self._pid = 0

    def ensure_started(self) -> None:
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid():
                for name, work in self._works.items():
                    threading.Thread(target=work, name=name, daemon=True).start()
                self._pid = os.getpid()
