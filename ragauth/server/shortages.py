"""What a worker logs when it lacks files or memory, and the errors of accept(2)."""

import errno
import logging
import time

from ragauth.metrics import LOG_LINES_LOST

log = logging.getLogger("ragauth")

_QUIET_SECONDS = 60.0

# No connection is waiting, or its client has closed it.
NO_CONNECTION = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EINTR})

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_logged_at = -_QUIET_SECONDS


def log_shortage(error: OSError) -> None:
    """Log that no connection can be accepted, once a minute at most."""
    global _logged_at  # noqa: PLW0603 - one for the process, like the shortage
    if time.monotonic() - _logged_at >= _QUIET_SECONDS:
        _logged_at = time.monotonic()
        log.warning("a connection could not be taken", extra={"cause": str(error)})


def log_fault(error: Exception) -> None:
    """Log an error that ended a connection; without memory for the line, count it as lost."""
    try:
        log.error("a connection could not be closed in good order", exc_info=error)
    except MemoryError:
        LOG_LINES_LOST.count()
