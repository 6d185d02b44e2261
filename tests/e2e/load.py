"""Clients that present one key without a pause while something kills it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from tests.e2e.service import Service
from tests.servers.frozen import frozen
from tests.waiting import wait_until

T = TypeVar("T")

_THREADS = 6
# Fewer than any plan's requests a minute.
ACCEPTED_FIRST = 20
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

    `kill` returns when its answer is there. Each worker has accepted the key before it, and is
    asked `of_each` times by itself soon after it: on a busy machine one of them may answer all for
    a while. The others rest then, for one that stood still with a lock would hold it up.
    """
    assert set(of_each_worker(service, lambda: service.authorize(raw_key))) == {200}
    deadline = time.monotonic() + _SECONDS
    with _presenting(service, raw_key, deadline) as (done, wait_for):
        wait_for(ACCEPTED_FIRST)
        kill()
        answered_at = time.monotonic()
        before = len(done)
        # Those that were on their way at the answer do not count.
        wait_for(before + 2 * _THREADS)
    accepted_before = sum(each.status == 200 for each in done[:before])
    done = [each for each in done if each.begun_at > answered_at]
    for answers in of_each_worker(
        service, lambda: [_present(service, raw_key) for _ in range(of_each)]
    ):
        done += answers
    with _presenting(service, raw_key, deadline) as (more, wait_for):
        wait_for(tries)
    done += more
    return Outcome(done, accepted_before, _by_worker(service, done))


def of_each_worker(service: Service, ask: Callable[[], T]) -> list[T]:
    """What each worker answers while the others stand still, and so take no connection."""
    workers = set(service.gunicorn.worker_pids())
    answers = []
    for worker in workers:
        with frozen(*(workers - {worker})):
            answers.append(ask())
    return answers


@contextmanager
def _presenting(
    service: Service, raw_key: str, deadline: float
) -> Iterator[tuple[list[Try], Callable[[int], None]]]:
    """Yield the tries of several clients while they go on, and what waits for so many."""
    done: list[Try] = []
    stop = threading.Event()

    def present_without_end() -> None:
        while not stop.is_set():
            done.append(_present(service, raw_key))

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


def _present(service: Service, raw_key: str) -> Try:
    request_id = uuid4().hex
    begun_at = time.monotonic()
    return Try(begun_at, request_id, service.authorize(raw_key, request_id))


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
