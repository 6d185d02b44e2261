"""When the poller answers quick requests: key checks at once (`rounds`), any other after them."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ragauth.server.connection import Connection
from ragauth.server.lines import Line
from ragauth.server.pace import Pace
from ragauth.server.plain_http import PlainRequest
from ragauth.server.quick_requests import find_quick_request, is_check, is_login
from ragauth.server.rounds import ask_alone

# After each round of the poller's events others are answered for so long, one at least. A page of a
# list takes about as long, so a check waits for two of them at most, however many are waiting.
_SECONDS = 0.001


class Turns:
    """The quick requests of one worker.

    Checks and others have each a pace of their own: a page of a list may take longer than a check
    in a database that is near.
    """

    def __init__(self) -> None:
        self.of_checks, self._of_others = Pace(), Pace()
        self._line: deque[tuple[Connection, PlainRequest]] = deque()

    def find(self, application: Any, conn: Connection) -> PlainRequest | None:
        """Find a quick request that the poller may answer now; None if the pool must."""
        now = time.perf_counter()
        if conn.has_begun or not self.of_checks.is_quick(now):
            return None
        plain = find_quick_request(application, conn.waiting, conn.client)
        return plain if plain is not None and self._pace_of(plain).is_quick(now) else None

    def ask(self, application: Any, conn: Connection, plain: PlainRequest) -> Any:
        """The reply to one request; see `ragauth.server.rounds.ask_alone`."""
        return ask_alone(self._pace_of(plain), application, conn, plain)

    def _pace_of(self, plain: PlainRequest) -> Pace:
        return self.of_checks if is_check(plain) or is_login(plain) else self._of_others

    def join(self, conn: Connection, plain: PlainRequest) -> None:
        """Put a request off until its turn; nothing else may be done with its connection then."""
        Line.leave(conn)
        conn.has_turn = True
        self._line.append((conn, plain))

    def longest_wait(self, timeout: float | None) -> float | None:
        """How many seconds the poller may wait instead of `timeout`, while requests are queued."""
        return 0.0 if self._line else timeout

    def take(self, answer: Callable[[Connection, PlainRequest], None]) -> None:
        """Answer those that have waited longest, for a short time."""
        ends_at = time.monotonic() + _SECONDS
        while self._line:
            conn, plain = self._line.popleft()
            conn.has_turn = False
            answer(conn, plain)
            if time.monotonic() >= ends_at:
                return

    def note_end(self, conn: Connection, now: float) -> None:
        """Take into account that the pool has answered a request of this connection."""
        self.of_checks.note_end(conn, now)
        self._of_others.note_end(conn, now)
