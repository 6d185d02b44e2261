"""How long a thread may wait for what other processes hold or answer.

A thread that polls the sockets of all clients waits next to nothing; what takes longer it hands to
another thread, which begins the request anew.
"""

import threading

# Two of these waits, one after the other, end within the three seconds that a check may take.
_SECONDS = 1.4
_POLLING_SECONDS = 0.05


class HandOver(BaseException):
    """A thread that must not wait would have to: another thread is to begin the request anew.

    Raised only before anything was counted or written. No Exception: it is no failure of the
    request, and nothing between the wait and the server may answer for it.
    """


class _Patience(threading.local):
    is_polling = False
    seconds = _SECONDS


_patience = _Patience()


def be_polling_thread() -> None:
    """Declare that the calling thread polls the sockets of all clients."""
    _patience.is_polling = True
    _patience.seconds = _POLLING_SECONDS


def is_polling_thread() -> bool:
    """Whether the calling thread must not wait: it raises `HandOver` rather."""
    return _patience.is_polling


def longest_wait() -> float:
    """Seconds that the calling thread may wait in all, for one thing."""
    return _patience.seconds
