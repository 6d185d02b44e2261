"""What accept(2) says when a worker can take no connection, and what the log says of it."""

import errno
import logging
import time

log = logging.getLogger("ragauth")

_QUIET_SECONDS = 60.0

# No connection waits, or the one that waited was closed by its client.
NO_CONNECTION = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EINTR})

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_logged_at = -_QUIET_SECONDS


def log_shortage(error: OSError) -> None:
    """Tell that no connection can be taken, once a minute."""
    global _logged_at  # noqa: PLW0603 - one for the process, as the shortage is
    if time.monotonic() - _logged_at >= _QUIET_SECONDS:
        _logged_at = time.monotonic()
        log.warning("a connection could not be taken", extra={"cause": str(error)})
