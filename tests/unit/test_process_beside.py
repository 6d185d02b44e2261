"""A process beside the workers, as the master starts, watches and ends it."""

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn import util

from ragauth.server import beside
from ragauth.server.beside import ProcessBeside
from tests.waiting import wait_until

# Newer Pythons warn of a fork beside threads; the child takes no lock of the parent's.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

CFG = SimpleNamespace(uid=os.getuid(), gid=os.getgid(), initgroups=False)
MASTER = SimpleNamespace(cfg=CFG, timeout=30.0, LISTENERS=[], WORKERS={})
HASTY_MASTER = SimpleNamespace(cfg=CFG, timeout=0.2, LISTENERS=[], WORKERS={})

Make = Callable[[Callable[[Callable[[], None]], None]], ProcessBeside]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[ProcessBeside] = []

    def make_one(run: Callable[[Callable[[], None]], None]) -> ProcessBeside:
        made.append(ProcessBeside("test", run, ("usage",)))
        return made[-1]

    yield make_one
    for process in made:
        # The metrics are those of all tests.
        ProcessBeside._tell(process, is_failing=False)
        process.let_go()
        if process._pid:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(process._pid, 9)
                os.waitpid(process._pid, 0)


def test_one_that_hangs_before_its_first_beat_is_killed_and_started_again(make: Make) -> None:
    process = make(lambda _wait_for_end: time.sleep(600))
    process.look_after(HASTY_MASTER)
    hanging = process._pid

    def is_another() -> bool:
        process.look_after(HASTY_MASTER)
        return process._pid not in (0, hanging)

    wait_until(is_another)


def test_one_that_beats_is_left_alone(make: Make) -> None:
    process = make(lambda wait_for_end: wait_for_end())
    process.look_after(MASTER)
    pid = process._pid
    for _ in range(5):
        process.look_after(MASTER)
    assert process._pid == pid
    process.end(MASTER)
    assert not process._is_there()


def test_a_master_that_has_no_room_for_one_goes_on_and_tries_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = make(lambda wait_for_end: wait_for_end())
    told: list[bool] = []
    monkeypatch.setattr(process, "_tell", lambda *, is_failing: told.append(is_failing))

    def refuse() -> Any:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    for name in ("pipe", "fork"):
        with monkeypatch.context() as short:
            short.setattr(os, name, refuse)
            process._start_from = 0.0
            process.look_after(MASTER)
            assert process._pid == 0
            # A master that ends loses nothing by it: the counters are saved after the next start.
            process.end(MASTER)
    assert set(told) == {True}
    process.look_after(MASTER)
    assert process._pid == 0
    process._start_from = 0.0
    process.look_after(MASTER)
    assert process._pid
    assert told[-1] is False


def test_the_pause_between_two_failed_starts_grows_to_a_bound(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = make(lambda wait_for_end: wait_for_end())
    monkeypatch.setattr(os, "fork", lambda: (_ for _ in ()).throw(OSError(errno.ENOMEM, "memory")))
    pauses: list[int] = []
    for _ in range(9):
        process._start_from = 0.0
        process.look_after(MASTER)
        pauses.append(max(0, round(process._start_from - time.monotonic())))
    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_signal_to_all_processes_does_not_end_it_before_the_workers(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the last requests counted is saved at the end, after them."""
    monkeypatch.setattr(beside, "_BEAT_MS", 5)
    reading, writing = os.pipe()

    def run(wait_for_end: Callable[[], None]) -> None:
        os.write(writing, b"begun")
        wait_for_end()
        os.write(writing, b"ended")

    process = make(run)
    process.look_after(MASTER)
    assert os.read(reading, 9) == b"begun"
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        os.kill(process._pid, number)
    assert not select.select([reading], [], [], 0.2)[0]
    process.end(MASTER)
    assert os.read(reading, 9) == b"ended"
    os.close(reading)
    os.close(writing)


def test_it_runs_as_the_user_that_the_workers_run_as(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With gunicorn's `--user` the master stays root; files that root made no worker could open."""
    reading, writing = os.pipe()
    monkeypatch.setattr(
        util, "set_owner_process", lambda *ids, initgroups: os.write(writing, b"became ")
    )

    def run(wait_for_end: Callable[[], None]) -> None:
        os.write(writing, b"begun")
        wait_for_end()

    process = make(run)
    process.look_after(MASTER)
    process.end(MASTER)
    assert os.read(reading, 99) == b"became begun"
    os.close(reading)
    os.close(writing)
