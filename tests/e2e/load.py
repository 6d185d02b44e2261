"""Clients that present one key without a pause while something kills it."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from tests.e2e.service import Service

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

    @property
    def statuses(self) -> set[int]:
        return {each.status for each in self.tries}

    def refusals_by_worker(self, service: Service) -> Counter[int]:
        """How many of them each worker process answered, by its own log."""
        wanted = {each.request_id for each in self.tries}
        return Counter(
            line["pid"] for line in service.request_lines() if line["request_id"] in wanted
        )


def kill_under_load(
    service: Service, raw_key: str, kill: Callable[[], None], *, tries: int
) -> Outcome:
    """Let several clients present the key, kill it, and go on until so many tries followed.

    `kill` returns when its answer is there.
    """
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

    def wait_until(reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while not reached():
            alive = all(thread.is_alive() for thread in threads)
            assert alive, "a client gave up"
            assert time.monotonic() < deadline, f"only {len(done)} tries in {_SECONDS} s"
            time.sleep(0.005)

    threads = [threading.Thread(target=present_without_end) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(done) >= ACCEPTED_FIRST)
        kill()
        answered_at = time.monotonic()
        before = len(done)
        # Those that were on their way at the answer do not count.
        wait_until(lambda: len(done) >= before + _THREADS + tries)
    finally:
        stop.set()
        for thread in threads:
            thread.join(_SECONDS)
    return Outcome(
        tries=[each for each in done if each.begun_at > answered_at],
        accepted_before=sum(each.status == 200 for each in done[:before]),
    )
