"""Clients that present one key without a pause while something kills it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from tests.e2e.service import Service
from tests.waiting import wait_until

_THREADS = 6
# Fewer than any plan's requests a minute.
ACCEPTED_FIRST = 40
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Try:
    """One presentation of the key, over a connection of its own."""

    begun_at: float
    request_id: str
    status: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The tries that began after the answer to what killed the key."""

    tries: list[Try]
    accepted_before: int
    # How many of them each worker process answered, by its own log.
    by_worker: Counter[int]

    @property
    def statuses(self) -> set[int]:
        return {each.status for each in self.tries}


def kill_under_load(
    service: Service, raw_key: str, kill: Callable[[], None], *, tries: int, of_each: int = 1
) -> Outcome:
    """Let several clients present the key, kill it, and go on until so many tries followed.

    `kill` returns when its answer is there. The clients begin anew until each worker has answered
    `of_each` tries: on a busy machine one of the workers may answer all for a while.
    """
    deadline = time.monotonic() + _SECONDS
    with _presenting(service, raw_key, deadline) as (done, wait_for):
        wait_for(ACCEPTED_FIRST)
        kill()
        answered_at = time.monotonic()
        before = len(done)
        # Those that were on their way at the answer do not count.
        wait_for(before + _THREADS + tries)
    accepted_before = sum(each.status == 200 for each in done[:before])
    done = [each for each in done if each.begun_at > answered_at]
    workers = service.gunicorn.worker_pids()
    while min((by_worker := _by_worker(service, done))[pid] for pid in workers) < of_each:
        assert time.monotonic() < deadline, f"answered in {_SECONDS} s: {by_worker}"
        with _presenting(service, raw_key, deadline) as (more, wait_for):
            wait_for(tries)
        done += more
    return Outcome(done, accepted_before, by_worker)


@contextmanager
def _presenting(
    service: Service, raw_key: str, deadline: float
) -> Iterator[tuple[list[Try], Callable[[int], None]]]:
    """Yield the tries of several clients while they go on, and what waits for so many."""
    lock = threading.Lock()
    done: list[Try] = []
    stop = threading.Event()

    def present_without_end() -> None:
        while not stop.is_set():
            request_id = uuid4().hex
            begun_at = time.monotonic()
            status = service.authorize(raw_key, request_id)
            with lock:
                done.append(Try(begun_at, request_id, status))

    def wait_for(count: int) -> None:
        while len(done) < count:
            alive = all(thread.is_alive() for thread in threads)
            assert alive, "a client gave up"
            assert time.monotonic() < deadline, f"only {len(done)} tries in {_SECONDS} s"
            time.sleep(0.005)

    threads = [threading.Thread(target=present_without_end) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield done, wait_for
    finally:
        stop.set()
        for thread in threads:
            thread.join(_SECONDS)


def _by_worker(service: Service, tries: list[Try]) -> Counter[int]:
    wanted = {each.request_id for each in tries}
    pids: list[int] = []

    def are_told() -> bool:
        lines = service.request_lines()
        pids[:] = [line["pid"] for line in lines if line["request_id"] in wanted]
        return len(pids) >= len(wanted)

    # Each is written beside its answer.
    wait_until(are_told)
    return Counter(pids)
