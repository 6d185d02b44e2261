"""The bell that wakes whoever sends mail: in this process, or in the one beside the workers."""

import os
import select
import threading
from contextlib import suppress


class Bell:
    """Rung after a commit that queued mail. A ring that nobody waits for is kept, once.

    By itself it is heard in its own process. `share` makes it one for this process and for all
    that are forked from it: then any of them may ring, and one may wait.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._ends: tuple[int, int] | None = None

    def share(self) -> None:
        """Before the fork. An executed program inherits nothing of it."""
        self._ends = reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)

    def ring(self) -> None:
        if self._ends is None:
            self._event.set()
            return
        # A full pipe is a bell that rings already.
        with suppress(BlockingIOError):
            os.write(self._ends[1], b"!")

    def wait(self, seconds: float) -> None:
        """Until it rings, and no longer than so many seconds."""
        if self._ends is None:
            self._event.wait(seconds)
            self._event.clear()
            return
        poll = select.poll()
        poll.register(self._ends[0], select.POLLIN)
        if poll.poll(seconds * 1000):
            with suppress(BlockingIOError):
                os.read(self._ends[0], 65_536)
