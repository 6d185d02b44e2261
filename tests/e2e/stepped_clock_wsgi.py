"""The service in processes whose clock is as far ahead as a file says, as if somebody set it.

libfaketime would be another way, but time.sleep fails under it where a step is under way.
"""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

_traveller = time_machine.travel(datetime.now(UTC), tick=True).start()


class _Follower:
    """Follows the file, in the master and in each process that it forks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ahead = 0

    def start(self) -> None:
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while True:
            now = int(self._path.read_text())
            if now != self._ahead:
                _traveller.shift(timedelta(seconds=now - self._ahead))
                self._ahead = now
            time.sleep(0.05)


_follower = _Follower(Path(os.environ["AHEAD_FILE"]))
os.register_at_fork(after_in_child=_follower.start)
_follower.start()

from wsgi import app  # noqa: E402, F401 - the clock is there before the service is loaded
