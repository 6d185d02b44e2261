"""S47: Redis, or a process that holds the counter file, is frozen: no thread waits for long."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ragauth import deadlines
from ragauth.counters import CountersUnavailable, LmdbCounters
from ragauth.counters.failover import FailoverCounters
from ragauth.counters.redis_store import RedisCounters
from ragauth.deadlines import WouldWait
from tests.counters.failover_support import (
    Clock,
    CountedRedis,
    admitted,
    connect_polling_thread,
    in_polling_thread,
    pool_of,
)
from tests.counters.questions import ask, installation, seed
from tests.servers.frozen import frozen
from tests.servers.redis import RedisServer

_HOLD = """
import fcntl, sys
guard = open(sys.argv[1], "r+b")
fcntl.flock(guard, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
# The machine may be busy. A hundred answers that each wait would take twice as long.
_AT_MOST_SECONDS = 10


@contextmanager
def held_by_another(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that took the lock of the counter file and was stopped."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, f"{path}-guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with frozen(holder.pid):
                yield holder
        finally:
            holder.kill()


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragauth.counters.lmdb_file.CHECK_SECONDS", 0.2)


class TestTheCounterFile:
    def test_a_polling_thread_hands_over_and_counts_nothing(
        self, lmdb_counters: LmdbCounters, lmdb_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ragauth.counters.lmdb_file.CHECK_SECONDS", 3 * _AT_MOST_SECONDS)
        assert admitted(lmdb_counters) == 1
        with held_by_another(lmdb_path):
            began = time.monotonic()
            with in_polling_thread(), pytest.raises(WouldWait) as handed_over:
                ask(lmdb_counters)
            assert handed_over.value.has_waited
            assert deadlines.POLLER_SECONDS <= time.monotonic() - began < _AT_MOST_SECONDS
        assert admitted(lmdb_counters) == 2

    @pytest.mark.usefixtures("short_waits")
    def test_after_the_first_wait_in_vain_each_is_refused_at_once_until_it_is_free(
        self, lmdb_counters: LmdbCounters, lmdb_path: Path
    ) -> None:
        assert admitted(lmdb_counters) == 1
        with held_by_another(lmdb_path) as holder:
            with pytest.raises(CountersUnavailable, match="does not go on"):
                ask(lmdb_counters)
            began = time.monotonic()
            for _ in range(100):
                with pytest.raises(CountersUnavailable):
                    ask(lmdb_counters)
                with in_polling_thread(), pytest.raises(CountersUnavailable):
                    ask(lmdb_counters)
            assert time.monotonic() - began < _AT_MOST_SECONDS
            holder.kill()
            holder.wait(10)
            assert admitted(lmdb_counters) == 2

    @pytest.mark.usefixtures("short_waits")
    def test_every_use_of_it_ends(self, lmdb_counters: LmdbCounters, lmdb_path: Path) -> None:
        seed(lmdb_counters)
        uses = (
            lambda: lmdb_counters.hit(b"login", 1_000, 0),
            lambda: lmdb_counters.read_window(b"login", 1_000, 0),
            lambda: lmdb_counters.clear_window(b"login"),
            lambda: lmdb_counters.changed_usage(10),
            lambda: lmdb_counters.acquire_lease(b"flush", b"a", 1_000, 0),
            lambda: lmdb_counters.prune(0),
            lambda: seed(lmdb_counters),
            lmdb_counters.ping,
        )
        with held_by_another(lmdb_path):
            for use in uses:
                with pytest.raises(CountersUnavailable):
                    use()

    def test_threads_that_wait_together_wait_once(
        self, lmdb_counters: LmdbCounters, lmdb_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ragauth.counters.lmdb_file.CHECK_SECONDS", 1.0)
        assert admitted(lmdb_counters) == 1
        refused: list[float] = []

        def refuse() -> None:
            began = time.monotonic()
            with pytest.raises(CountersUnavailable):
                ask(lmdb_counters)
            refused.append(time.monotonic() - began)

        threads = [threading.Thread(target=refuse) for _ in range(20)]
        with held_by_another(lmdb_path):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        assert len(refused) == 20
        # One after the other they would take twenty seconds.
        assert max(refused) < _AT_MOST_SECONDS


class TestRedis:
    def test_the_first_question_waits_once_and_the_file_answers_it_and_all_others(
        self, store: FailoverCounters, server: RedisServer, primary: CountedRedis
    ) -> None:
        assert admitted(store) == 1
        with frozen(server.pid):
            assert admitted(store, base_units=1) == 2
            calls, began = primary.calls, time.monotonic()
            for used in range(3, 103):
                assert admitted(store) == used
            assert primary.calls == calls
            assert time.monotonic() - began < _AT_MOST_SECONDS

    def test_whoever_counts_does_not_wait_for_the_question_whether_it_is_back(
        self, server: RedisServer, primary: CountedRedis, lmdb_path: Path, clock: Clock
    ) -> None:
        beside: list[object] = []
        store = FailoverCounters(primary, LmdbCounters(lmdb_path), clock, beside=beside.append)
        with frozen(server.pid):
            admitted(store)
            clock.seconds += 1
            calls = primary.calls
            assert admitted(store) == 2
            assert admitted(store) == 3
            assert primary.calls == calls
        assert beside == [store._try_primary]
        store.close()

    def test_the_polling_thread_keeps_no_connection_of_before(
        self, store: FailoverCounters, server: RedisServer, primary: CountedRedis, clock: Clock
    ) -> None:
        """It could lead to a server that is a replica since."""
        connect_polling_thread(store)
        connections = pool_of(primary)._available_connections
        assert any(connection._sock is not None for connection in connections)
        store._leave_primary(CountersUnavailable("a cable was pulled"))
        clock.seconds += 1
        store.ping()
        assert all(connection._sock is None for connection in connections)

    def test_limits_are_exact_again_after_the_thaw(
        self, store: FailoverCounters, server: RedisServer, clock: Clock
    ) -> None:
        """S49: what was asked of Redis as it froze may have been counted there as well."""
        for used in range(1, 4):
            assert admitted(store) == used
        with frozen(server.pid):
            for used in range(4, 8):
                assert admitted(store, base_units=3) == used
        clock.seconds += 1
        # The database knows of all seven by then; the month begins anew with what it says.
        assert admitted(store, base_units=7) == 8
        other = RedisCounters(server.url, installation)
        assert admitted(other) == 9
        assert sum(row.requests for row in store.changed_usage(10)) in (9, 10)
        other.close()

    def test_a_probe_that_finds_the_file_held_too_goes_on(
        self,
        store: FailoverCounters,
        server: RedisServer,
        lmdb_path: Path,
        clock: Clock,
        short_waits: None,
    ) -> None:
        admitted(store)
        with frozen(server.pid):
            admitted(store, base_units=1)
            with held_by_another(lmdb_path):
                clock.seconds += 1
                with pytest.raises(CountersUnavailable):
                    ask(store)
            assert admitted(store) == 3
        clock.seconds += 1
        store.ping()
