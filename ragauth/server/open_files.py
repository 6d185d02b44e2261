"""How many files a worker may have open, and what becomes of its connections near that bound."""

import errno
import logging
import resource
import time

log = logging.getLogger("ragauth")

# What a worker has open beside its clients: log, counters, listener, poller, mail …
_OWN_FILES = 64
# … and for each thread: two connections to the database, of up to three files each.
_FILES_OF_A_THREAD = 8
_FEWEST_CONNECTIONS = 16
_MOST_CONNECTIONS = 4096
_QUIET_SECONDS = 60.0

# accept(2): there is none (any more), or the one that there was is gone.
NO_CONNECTION = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EINTR})

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_logged_at = -_QUIET_SECONDS


def raise_open_files() -> int:
    """Let this process, and its children, have as many open files as it may; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        # macOS has a bound of its own below a hard limit without one.
        log.info("the limit of open files stays", extra={"cause": str(error), "limit": soft})
        hard = soft
    return _MOST_CONNECTIONS * 2 if hard == resource.RLIM_INFINITY else hard


def most_connections(open_files: int, threads: int) -> int:
    """How many clients a worker may have at once, so that files are left for everything else."""
    left = open_files - _OWN_FILES - threads * _FILES_OF_A_THREAD
    return max(_FEWEST_CONNECTIONS, min(left, _MOST_CONNECTIONS))


def log_shortage(error: OSError) -> None:
    """Tell that no connection can be taken, once a minute."""
    global _logged_at  # noqa: PLW0603 - one for the process, as the shortage is
    if time.monotonic() - _logged_at >= _QUIET_SECONDS:
        _logged_at = time.monotonic()
        log.warning("a connection could not be taken", extra={"cause": str(error)})
