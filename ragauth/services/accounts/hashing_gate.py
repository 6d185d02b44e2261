"""Where passwords are hashed: one low-priority thread in each process, with few waiting places.

bcrypt gives up the GIL, so a flood of logins would take every core and every thread of the process.
So hashing gets one thread, of lower priority than key checks. A hash that finds no place is refused
at once.

The places are shared fairly. While all are taken, a newcomer displaces a waiting hash of an owner
who holds more places than the newcomer would then hold. If both hold equally many, it displaces an
owner who had more of the last hashes. So a flood with right passwords displaces only itself. Places
and last hashes are counted by network and by account, and the greater number decides: neither a
network with many accounts nor an account used from many networks gets more than its share.
"""

import os
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from ragauth.errors import TooManyHashes
from ragauth.metrics import HASHES, HASHES_REFUSED, HASHING_PLACES_TAKEN
from ragauth.security.addresses import Network, neighbourhood_of

T = TypeVar("T")
K = TypeVar("K")

# One is hashed while two wait: at bcrypt cost 12 the wait is half a second at most.
PLACES = 3
# How many of the last hashes are remembered: about fifteen seconds of a busy core.
_REMEMBERED = 64
# Lower priority than the threads that check keys, but not by much: between two hashes the thread
# holds the GIL, and on busy cores a thread of the lowest priority (19) made the process wait for
# seconds.
_NICENESS = 5


class Share(NamedTuple):
    """Who a hash is counted for: the network of the client, and the account.

    An account is its id or, before its password was right, the name that the client presented.
    """

    network: Network | None
    account: uuid.UUID | str


def share_of(ip: str | None, account: uuid.UUID | str) -> Share:
    """The share of a client's network and account; clients without an address are one network."""
    return Share(neighbourhood_of(ip), account)


@dataclass(eq=False, slots=True)
class _Entry:
    """One hash that has a place."""

    share: Share
    work: Callable[[], Any]
    result: Future[Any] = field(default_factory=Future)


class _Tally:
    """How many hashes each network and each account has."""

    def __init__(self) -> None:
        self._networks: Counter[Network | None] = Counter()
        self._accounts: Counter[uuid.UUID | str] = Counter()

    def add(self, share: Share, number: int = 1) -> None:
        _count(self._networks, share.network, number)
        _count(self._accounts, share.account, number)

    def of(self, share: Share) -> tuple[int, int]:
        """The numbers of the share's network and of its account, the greater one first."""
        return _descending(self._networks[share.network], self._accounts[share.account])

    def in_place_of(self, holder: Share, newcomer: Share) -> tuple[int, int]:
        """The newcomer's numbers if it took one place of the holder."""
        return _descending(
            self._networks[newcomer.network] + (newcomer.network != holder.network),
            self._accounts[newcomer.account] + (newcomer.account != holder.account),
        )


def _count(counts: Counter[K], owner: K, number: int) -> None:
    """Add to an owner's number; a number of 0 is removed, to free memory."""
    counts[owner] += number
    if not counts[owner]:
        del counts[owner]


def _descending(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one >= other else (other, one)


class _Use:
    """The places that each network and account holds, and how many of the last hashes it had."""

    def __init__(self) -> None:
        self._held = _Tally()
        self._had = _Tally()
        self._served: deque[Share] = deque()

    def hold(self, share: Share) -> None:
        self._held.add(share)

    def leave(self, share: Share) -> None:
        self._held.add(share, -1)

    def note_served(self, share: Share) -> None:
        self._had.add(share)
        self._served.append(share)
        if len(self._served) > _REMEMBERED:
            self._had.add(self._served.popleft(), -1)

    def of(self, holder: Share) -> tuple[tuple[int, int], tuple[int, int]]:
        """A sort key: first the places held now, then the number of last hashes."""
        return self._held.of(holder), self._had.of(holder)

    def exceeds(self, holder: Share, newcomer: Share) -> bool:
        """Whether a holder has more than a newcomer would have after taking the holder's place."""
        if holder == newcomer:
            return False
        held, wanted = self._held.of(holder), self._held.in_place_of(holder, newcomer)
        return held > wanted or (held == wanted and self._had.of(holder) > self._had.of(newcomer))


class HashingGate:
    """Runs slow hashes one after another. Safe for threads and across a fork."""

    def __init__(self, places: int = PLACES) -> None:
        self.places = places
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._executor: ThreadPoolExecutor | None = None
        self._taken = 0
        self._line: list[_Entry] = []
        self._use = _Use()

    @property
    def free_places(self) -> int:
        return self.places - self._taken

    def has_place_for(self, share: Share) -> bool:
        """Whether `run` would accept a hash of this share now.

        No lock is taken here, so `run` may still refuse.
        """
        return self._taken < self.places or self._find_greedier(share) is not None

    def run(self, work: Callable[[], T], share: Share) -> T:
        """The result of `work`.

        Raises TooManyHashes: at once if every place is taken and no waiting hash can be displaced;
        later if a newcomer with a smaller share displaces this one.
        """
        began_at = time.perf_counter()
        entry = _Entry(share, work)
        try:
            displaced = self._take_place(entry)
            if displaced is not None:
                displaced.result.set_exception(TooManyHashes())
            HASHING_PLACES_TAKEN.add(1)
            try:
                result: T = entry.result.result()
            finally:
                HASHING_PLACES_TAKEN.add(-1)
        except TooManyHashes:
            HASHES_REFUSED.count()
            raise
        HASHES.observe(time.perf_counter() - began_at)
        return result

    def _take_place(self, entry: _Entry) -> _Entry | None:
        """Put a hash into the line; returns the entry that it displaced, if any."""
        with self._lock:
            if self._pid != os.getpid():
                # Threads do not survive a fork; the parent's places are not this process's.
                self._begin()
            if self._taken < self.places:
                self._taken += 1
                self._line.append(entry)
                self._use.hold(entry.share)
                if self._executor is None:
                    self._executor = ThreadPoolExecutor(1, "hashing", initializer=_yield_to_checks)
                self._executor.submit(self._hash_next)
                return None
            displaced = self._find_greedier(entry.share)
            if displaced is None:
                raise TooManyHashes
            # The newcomer takes the same place in the line, so no hash waits for more hashes than
            # there are places.
            self._line[self._line.index(displaced)] = entry
            self._use.leave(displaced.share)
            self._use.hold(entry.share)
            return displaced

    def _find_greedier(self, share: Share) -> _Entry | None:
        """Find the waiting entry whose owner has most, if the newcomer would have less."""
        use = self._use
        greedier = [entry for entry in self._line[:] if use.exceeds(entry.share, share)]
        return max(greedier, key=lambda entry: use.of(entry.share), default=None)

    def _hash_next(self) -> None:
        with self._lock:
            entry = self._line.pop(0)
            self._use.note_served(entry.share)
        try:
            result = entry.work()
        except BaseException as error:
            # Raised in the thread that asked.
            self._leave(entry.share)
            entry.result.set_exception(error)
        else:
            self._leave(entry.share)
            entry.result.set_result(result)

    def _leave(self, share: Share) -> None:
        with self._lock:
            self._taken -= 1
            self._use.leave(share)
            if not self._taken:
                # The line is empty, so nobody has to share: forget the last hashes.
                self._use = _Use()


def _yield_to_checks() -> None:
    # Relative to the process's own priority: only root may raise a thread above it.
    thread = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS
    os.setpriority(os.PRIO_PROCESS, thread, niceness)
    if os.environ.get("EXP_SLICE"):
        from ragauth.exp_slice import set_slice
        set_slice(thread, niceness, int(os.environ["EXP_SLICE"]))


hashing_gate = HashingGate()
