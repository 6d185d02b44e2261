"""The bell that wakes a sender, in this process or in the one beside the workers."""

import os
import select
import threading
from contextlib import suppress


class Bell:
    """Rung after a commit that queued a row of the outbox.

    A ring while nobody waits is kept, but several are kept as one. Without `share` the bell works
    within one process. `share` makes it common to this process and all that are forked from it: any
    of them may ring, and one may wait.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._ends: tuple[int, int] | None = None

    def share(self) -> None:
        """Share the bell with forked processes; call it before the fork.

        It does not survive an exec.
        """
        self._ends = reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)

    def ring(self) -> None:
        if self._ends is None:
            self._event.set()
            return
        # A full pipe means that the bell rings already.
        with suppress(BlockingIOError):
            os.write(self._ends[1], b"!")

    def wait(self, seconds: float) -> None:
        """Wait until the bell rings, for at most so many seconds."""
        if self._ends is None:
            self._event.wait(seconds)
            self._event.clear()
            return
        poll = select.poll()
        poll.register(self._ends[0], select.POLLIN)
        if poll.poll(seconds * 1000):
            with suppress(BlockingIOError):
                os.read(self._ends[0], 65_536)
