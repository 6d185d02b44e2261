"""Stores are at rest while the process forks (the forks themselves: test_processes.py)."""

from pathlib import Path

from ragauth.counters import LmdbCounters, forks
from ragauth.counters.failover import FailoverCounters
from ragauth.counters.redis_store import RedisCounters
from tests.counters.questions import NOW, installation


def test_the_file_is_closed_and_nothing_starts_until_the_fork_is_over(
    lmdb_counters: LmdbCounters,
) -> None:
    lmdb_counters.hit(b"login", 1_000, NOW)
    forks._before_fork()
    try:
        assert lmdb_counters._file.env is None
        assert not lmdb_counters._file.lock.acquire(blocking=False)
    finally:
        forks._after_fork()
    assert lmdb_counters.hit(b"login", 1_000, NOW).count == 2


def test_no_fork_happens_in_the_middle_of_a_switch(lmdb_path: Path) -> None:
    store = FailoverCounters(
        RedisCounters("redis://127.0.0.1:1", installation), LmdbCounters(lmdb_path)
    )
    forks._before_fork()
    try:
        assert not store._switching.acquire(blocking=False)
    finally:
        forks._after_fork()
    assert store.hit(b"login", 1_000, NOW).count == 1
    store.close()


def test_a_store_that_is_gone_holds_nobody_up(lmdb_path: Path) -> None:
    store = LmdbCounters(lmdb_path)
    store.close()
    file = store._file
    del store
    assert file in forks._registered
    del file
    forks._before_fork()
    forks._after_fork()
    assert forks._at_rest == []
