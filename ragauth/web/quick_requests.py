"""Which requests are quick enough to be answered between two polls: the checks of a key, and
logins while there is no place to hash.
"""

import math
import re

PEEKED_BYTES = 8192

_AUTHORIZE = re.compile(rb"[A-Z]{3,10} /api/v1/authorize[/? ]")
_VERIFY = re.compile(rb"POST /api/v1/keys/verify/? ")
_LOGIN = re.compile(rb"POST /api/auth/login/? ")
# A body, or whatever else asks for more than one read.
_HAS_MORE = re.compile(
    rb"\r\n(?:content-length:[ \t]*[1-9]|transfer-encoding|expect)", re.IGNORECASE
)
_ORIGIN = re.compile(rb"\r\norigin:", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,5})[ \t]*\r\n", re.IGNORECASE)
_ASKS_FOR_MORE = re.compile(rb"\r\n(?:transfer-encoding|expect)", re.IGNORECASE)


def is_whole_check(data: bytes) -> bool:
    """Whether these first bytes of a connection are a key check, complete with its body.

    It only chooses the thread: how the request is read and answered is the same in each.
    """
    if _AUTHORIZE.match(data):
        end = data.find(b"\r\n\r\n")
        return end > 0 and _HAS_MORE.search(data, 0, end) is None
    return _VERIFY.match(data) is not None and _has_its_body(data)


def is_whole_login(data: bytes) -> bool:
    """Whether they are a login, complete with its body, and not from a browser's page: the gate
    does not know of CORS.
    """
    return _LOGIN.match(data) is not None and _has_its_body(data) and _ORIGIN.search(data) is None


def _has_its_body(data: bytes) -> bool:
    end = data.find(b"\r\n\r\n")
    if end < 0 or _ASKS_FOR_MORE.search(data, 0, end):
        return False
    length = _LENGTH.search(data, 0, end + 2)
    return length is not None and len(data) >= end + 4 + int(length[1])


class Pace:
    """Whether checks have waited little of late; all times are in seconds.

    A thread of the pool is worth its price where each check waits for the network longer than the
    hand-over takes, and where one may wait for seconds: a lost database must not hold up every
    request of the worker. The shortest wait of several tells how far the database is; the others
    tell how busy this machine is.
    """

    _SEVERAL = 32
    _FAR_SECONDS = 0.0005
    _STUCK_SECONDS = 1.0
    _SHORTEST_PAUSE = 1.0
    _LONGEST_PAUSE = 60.0

    def __init__(self) -> None:
        self._count = 0
        self._shortest_wait = math.inf
        self._pause = self._SHORTEST_PAUSE
        self._paused_until = 0.0

    def is_quick(self, now: float) -> bool:
        return now >= self._paused_until

    def note(self, waited_seconds: float, now: float) -> None:
        """Take one answer into account; the pause doubles for as long as they stay slow."""
        self._count += 1
        self._shortest_wait = min(self._shortest_wait, waited_seconds)
        is_slow = waited_seconds > self._STUCK_SECONDS
        if self._count == self._SEVERAL:
            is_slow = is_slow or self._shortest_wait > self._FAR_SECONDS
            if not is_slow:
                self._pause = self._SHORTEST_PAUSE
            self._count, self._shortest_wait = 0, math.inf
        if is_slow:
            self._paused_until = now + self._pause
            self._pause = min(2 * self._pause, self._LONGEST_PAUSE)
