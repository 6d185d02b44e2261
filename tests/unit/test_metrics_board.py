"""The cells that workers share: nothing is lost between threads, processes or at a worker's end."""

import os
import signal
import threading

import pytest

from ragauth.metrics.board import Board
from ragauth.metrics.families import Counter, Gauge, Histogram

_TIMES = 5_000

# Newer Pythons warn of a fork beside threads; these children take no lock of the parent's.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def _fork(board: Board, slot: int, work: object) -> int:
    """A worker in this slot, which ends by SIGKILL once its work is done."""
    pid = os.fork()
    if pid == 0:
        board.enter_slot(slot)
        work()  # type: ignore[operator]
        os.kill(os.getpid(), signal.SIGKILL)
    return pid


def _end(board: Board, slot: int, pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    board.leave_slot(slot)


def _count_of(counter: Counter, board: Board) -> float:
    (sample,) = counter.read(board.sums())
    return sample.value


def test_threads_lose_no_count() -> None:
    board = Board(slots=2, cells=10)
    counter = Counter("hits", "", on=board)

    def count() -> None:
        for _ in range(_TIMES):
            counter.count()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _count_of(counter, board) == 8 * _TIMES


def test_processes_lose_no_count_though_all_are_killed() -> None:
    """S34"""
    board = Board(slots=5, cells=10)
    counter = Counter("hits", "", on=board)

    def count() -> None:
        for _ in range(_TIMES):
            counter.count()

    slots = [board.take_slot() for _ in range(3)]
    assert slots == [1, 2, 3]
    workers = [_fork(board, slot, count) for slot in slots]
    for slot, pid in zip(slots, workers, strict=True):
        _end(board, slot, pid)
    assert _count_of(counter, board) == 3 * _TIMES
    # A successor goes on where a dead worker was.
    slot = board.take_slot()
    assert slot == 1
    _end(board, slot, _fork(board, slot, count))
    assert _count_of(counter, board) == 4 * _TIMES


def test_a_gauge_ends_with_the_worker_that_set_it() -> None:
    board = Board(slots=3, cells=10)
    gauge = Gauge("taken", "", on=board)
    slot = board.take_slot()
    pid = _fork(board, slot, lambda: gauge.add(3))
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert [value for _, value in gauge.read(board.sums())] == [3]
    assert board.pids() == [pid]
    _end(board, slot, pid)
    assert [value for _, value in gauge.read(board.sums())] == [0]
    assert board.pids() == []


def test_more_workers_than_slots_share_the_last() -> None:
    board = Board(slots=3, cells=10)
    assert [board.take_slot() for _ in range(4)] == [1, 2, 2, 2]


def test_too_many_series_are_found_at_the_start() -> None:
    board = Board(slots=1, cells=10)
    Counter("hits", "", on=board)
    with pytest.raises(RuntimeError, match="more than 10 cells"):
        Histogram("times", "", (1, 2, 3, 4, 5, 6), on=board)


def test_a_histogram_puts_each_observation_into_its_bucket() -> None:
    board = Board(slots=1, cells=20)
    histogram = Histogram("times", "", (0.1, 0.5, 1), on=board)
    for seconds in (0.0, 0.1, 0.11, 1, 7):
        histogram.observe(seconds)
    (told,) = histogram.read(board.sums())
    assert told.bounds == ("0.1", "0.5", "1", "+Inf")
    assert told.counts == [2, 3, 4, 5]
    assert told.total == pytest.approx(8.21)
