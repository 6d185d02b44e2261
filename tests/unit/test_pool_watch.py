"""A pool whose threads all hang is noticed, one that is only busy is none."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ragauth.metrics import HUNG, WORKER_DEATHS, board
from ragauth.server import pool_watch
from ragauth.server.pool_watch import PoolWatch


class Pool:
    """Threads that are at a request until they are let go."""

    def __init__(self, watch: PoolWatch) -> None:
        self._watch = watch
        self._all: list[tuple[threading.Thread, threading.Event]] = []

    def begin(self) -> None:
        has_begun, may_end = threading.Event(), threading.Event()

        def work() -> None:
            with self._watch.request():
                has_begun.set()
                may_end.wait()

        thread = threading.Thread(target=work)
        thread.start()
        has_begun.wait()
        self._all.append((thread, may_end))

    def end_one(self) -> None:
        thread, may_end = self._all.pop()
        may_end.set()
        thread.join()

    def end_all(self) -> None:
        while self._all:
            self.end_one()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [0.0]
    monkeypatch.setattr(pool_watch.time, "monotonic", lambda: now[0])
    return now


def test_all_threads_must_be_at_it_for_too_long(now: list[float]) -> None:
    watch = PoolWatch(threads=2, seconds=60)
    pool = Pool(watch)
    with ExitStack() as stack:
        stack.callback(pool.end_all)
        pool.begin()
        now[0] = 100
        assert not watch.must_stop(), "one thread is free"
        pool.begin()
        now[0] = 150
        assert not watch.must_stop(), "one may still end"
        pool.end_one()
        pool.begin()
        now[0] = 170
        assert not watch.must_stop(), "one has ended since"
        now[0] = 211
        assert watch.must_stop()


def test_without_a_time_out_none_hangs(now: list[float]) -> None:
    watch = PoolWatch(threads=1, seconds=0)
    pool = Pool(watch)
    pool.begin()
    now[0] = 1e6
    assert not watch.must_stop()
    pool.end_all()


def test_the_process_ends_at_once_and_is_counted(
    now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own end would wait for the threads."""
    ends: list[int] = []
    monkeypatch.setattr(pool_watch.os, "_exit", ends.append)
    before = _hung()
    watch = PoolWatch(threads=1, seconds=60)
    watch.end_if_hanging()
    assert (ends, _hung() - before) == ([], 0)
    pool = Pool(watch)
    pool.begin()
    now[0] = 61
    watch.end_if_hanging()
    pool.end_all()
    assert (ends, _hung() - before) == ([1], 1)


def _hung() -> float:
    return {each.labels: each.value for each in WORKER_DEATHS.read(board.sums())}[(HUNG,)]
