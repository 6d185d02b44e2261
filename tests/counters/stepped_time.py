"""A wall clock that is stepped beside a monotonic one, and how much a file holds: for pruning."""

from ragauth.counters import LmdbCounters
from tests.counters.questions import NOW


class SteppedTime:
    """A wall clock that can be stepped, and a monotonic one that cannot."""

    def __init__(self) -> None:
        self.now = NOW
        self._monotonic_ms = 1_000_000

    def monotonic(self) -> float:
        return self._monotonic_ms / 1000

    def shift(self, milliseconds: int) -> None:
        self.now += milliseconds
        self._monotonic_ms += milliseconds

    def step(self, milliseconds: int) -> None:
        self.now += milliseconds


def records(store: LmdbCounters) -> int:
    """How many records the file has."""
    return store._file.transact(lambda txn: int(txn.stat()["entries"]))
