"""Who may make an export: few at once, of different accounts, and one of them works at a time.

A long history takes seconds of a core, which the checks of keys need. So the exports of a process
take turns, a batch of rows each: a short one is soon done beside a long one.
"""

import threading
import uuid
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from ragauth.errors import ExportUnderWay
from ragauth.security.addresses import Network

# Each holds a thread of the pool, a transaction that reads, and a file.
AT_ONCE = 3
# Leaves one to others.
_AT_ONCE_PER_NETWORK = 2


class Turns:
    """One thread at a time, in the order in which they asked."""

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
            # Released by the one before.
            mine.acquire()

    def end(self) -> None:
        """Let the next one work."""
        with self._lock:
            self._line.popleft()
            if self._line:
                self._line[0].release()

    def end_and_take(self) -> None:
        """Let those work who wait, then go on."""
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
        """The block has the first turn; it ends one, and takes another, between two batches.

        Raises ExportUnderWay at once: for an account that has one, for a network that has its
        share, and while there are as many as may be.
        """
        with self.place(account_id=account_id, network=network):
            self.turns.take()
            try:
                yield self.turns
            finally:
                self.turns.end()

    @contextmanager
    def place(self, *, account_id: uuid.UUID, network: Network | None) -> Iterator[None]:
        """Be one of those that are made; raises ExportUnderWay."""
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
