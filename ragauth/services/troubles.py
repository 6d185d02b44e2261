"""Failures of background work, which no client sees: shared with all workers, by cause.

Each process notes how its own turn went. `/readyz` and the metrics, which any worker answers, show
the failures of all processes.
"""

import logging
import time

from ragauth.database_faults import DatabaseFault, fault_of
from ragauth.metrics import FAILING, board

log = logging.getLogger("ragauth")

COUNTERS = "counters"
MAIL_FOLDER = "mail_folder"
MAIL_SERVER = "mail_server"
SEALS = "seals"
BUG = "bug"
PROCESS = "process"

_LOG_ONCE_IN_SECONDS = 10.0
_WORDS = {
    COUNTERS: "the counters did not answer",
    MAIL_FOLDER: "the folder outbox/ cannot be written",
    MAIL_SERVER: "the mail server is out of reach or refuses",
    SEALS: "sealed with a secret that is not known",
    BUG: "a bug: see the log",
    PROCESS: "the process that does it died and is about to be started again",
    **{fault.label: fault.sentence for fault in DatabaseFault},
}


class Work:
    """One kind of background work of this process."""

    def __init__(self, name: str, failure: str) -> None:
        self.name = name
        self.failure = failure
        self._cause: str | None = None
        self._logged_at = -_LOG_ONCE_IN_SECONDS

    @property
    def is_failing(self) -> bool:
        return self._cause is not None

    def note(self, cause: str | None, detail: str = "") -> None:
        """Note how this turn went; `cause` is None after a success.

        A failure is logged when its cause changes, and otherwise once in 10 s.
        """
        if cause != self._cause:
            if self._cause is not None:
                FAILING.add(-1, self.name, self._cause)
            if cause is not None:
                FAILING.add(1, self.name, cause)
            self._cause = cause
            self._logged_at = -_LOG_ONCE_IN_SECONDS
        now = time.monotonic()
        if cause is not None and now - self._logged_at >= _LOG_ONCE_IN_SECONDS:
            self._logged_at = now
            log.warning(self.failure, extra={"cause": detail or _WORDS[cause]})


def database_cause(error: BaseException) -> str:
    fault = fault_of(error)
    return BUG if fault is None else fault.label


def failing_works() -> dict[str, str]:
    """The works that fail in at least one process, each with its cause in words."""
    failing: dict[str, str] = {}
    for (work, cause), workers in FAILING.read(board.sums()):
        if workers > 0:
            failing.setdefault(work, _WORDS[cause])
    return failing
