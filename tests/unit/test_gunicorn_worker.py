"""How a worker ends at Ctrl-C."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from ragauth.server.worker import Worker


class Interrupted(Worker):
    """A worker as far as its end needs one."""

    def __init__(self) -> None:
        self.ends: list[Worker] = []
        self.cfg = SimpleNamespace(worker_int=self.ends.append)
        self.tpool = ThreadPoolExecutor(1)
        self._is_quitting = False


def _interrupt(worker: Worker, *numbers: signal.Signals) -> bool:
    """Whether it heeds the signals, each with a SystemExit or not at all."""

    def handle() -> None:
        for number in numbers:
            try:
                worker.handle_quit(number, None)
            except SystemExit:
                continue

    handling = threading.Thread(target=handle, daemon=True)
    handling.start()
    handling.join(5)
    return not handling.is_alive()


def test_it_waits_for_no_lock_that_the_interrupted_thread_may_hold() -> None:
    worker = Interrupted()
    # As in the midst of handing a request to the pool.
    with worker.tpool._shutdown_lock:
        assert _interrupt(worker, signal.SIGINT)
    assert worker.alive is False


def test_the_masters_signal_after_the_terminals_changes_nothing() -> None:
    worker = Interrupted()
    assert _interrupt(worker, signal.SIGINT, signal.SIGQUIT)
    assert worker.ends == [worker]
