"""How many files a worker may have open, and how many clients therefore."""

import logging
import resource

log = logging.getLogger("ragauth")

# Files that a worker has open besides its clients: log, counters, listener, poller, mail …
_OWN_FILES = 64
# … and for each thread: two connections to the database, of up to three files each.
_FILES_OF_A_THREAD = 8
_FEWEST_CONNECTIONS = 16
_MOST_CONNECTIONS = 4096


def raise_open_files() -> int:
    """Raise the limit of open files to the hard limit, also for children; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        # macOS refuses an unlimited number even where the hard limit is unlimited.
        log.info(
            "the limit of open files could not be raised",
            extra={"cause": str(error), "limit": soft},
        )
        hard = soft
    return _MOST_CONNECTIONS * 2 if hard == resource.RLIM_INFINITY else hard


def most_connections(open_files: int, threads: int) -> int:
    """How many clients a worker may have at once, so that enough files are left for the rest."""
    left = open_files - _OWN_FILES - threads * _FILES_OF_A_THREAD
    return max(_FEWEST_CONNECTIONS, min(left, _MOST_CONNECTIONS))
