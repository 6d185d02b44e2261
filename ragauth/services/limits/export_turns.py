"""Bound the exports: few at once, of different accounts, and one thread works at a time.

A long history takes seconds of CPU time, which key checks need. So the exports of a process take
turns, one batch of rows each: a short export does not wait for the end of a long one.
"""

import threading
import uuid
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from ragauth.errors import ExportUnderWay
from ragauth.security.addresses import Network

# Each export holds a thread of the pool, a read transaction and a file.
AT_ONCE = 3
# One network may not take all places: one is left for others.
_AT_ONCE_PER_NETWORK = 2


class Turns:
    """Lets one thread work at a time, in the order in which they asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: deque[threading.Lock] = deque()

    def take(self) -> None:
        """Wait for a turn."""
        mine = threading.Lock()
        mine.acquire()
        with self._lock:
            self._line.append(mine)
            is_first = len(self._line) == 1
        if not is_first:
            # The thread before this one releases it.
            mine.acquire()

    def end(self) -> None:
        """Let the next one work."""
        with self._lock:
            self._line.popleft()
            if self._line:
                self._line[0].release()

    def end_and_take(self) -> None:
        """Let the waiting threads work first, then continue."""
        self.end()
        self.take()


class ExportTurns:
    """The exports that a process makes. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: set[uuid.UUID] = set()
        self._networks: Counter[Network | None] = Counter()
        self.turns = Turns()

    @contextmanager
    def take_part(self, *, account_id: uuid.UUID, network: Network | None) -> Iterator[Turns]:
        """Give the block its first turn; between two batches it ends its turn and takes the next.

        Raises ExportUnderWay at once if the account has an export under way, if the network has its
        share of them, or if all places are taken.
        """
        with self.place(account_id=account_id, network=network):
            self.turns.take()
            try:
                yield self.turns
            finally:
                self.turns.end()

    @contextmanager
    def place(self, *, account_id: uuid.UUID, network: Network | None) -> Iterator[None]:
        """Hold one of the places for exports; raises ExportUnderWay."""
        with self._lock:
            if (
                len(self._accounts) == AT_ONCE
                or account_id in self._accounts
                or self._networks[network] == _AT_ONCE_PER_NETWORK
            ):
                raise ExportUnderWay
            self._accounts.add(account_id)
            self._networks[network] += 1
        try:
            yield
        finally:
            with self._lock:
                self._accounts.discard(account_id)
                self._networks[network] -= 1
                if not self._networks[network]:
                    del self._networks[network]


export_turns = ExportTurns()
