"""Processes of many threads that ask at once: python -m tests.counters.admit_many ADDRESS ….

Arguments: processes, threads in each, questions of each thread, limit of the minute, and size of a
total that no store knows at first (0: none). Prints, for each process, the place of each of its
admissions in the minute, or in the total.
"""

import os
import signal
import sys
import threading

from ragauth.counters import Use
from tests.counters.questions import ask, in_period, open_store, seed_tallies


def ask_with_threads(
    address: str, threads: int, questions: int, limit: int, total_size: int, gate: int
) -> str:
    store = open_store(address)
    store.ping()
    admitted: list[int] = []
    start = threading.Event()
    total = in_period(1, period=0, size=total_size)
    more = {"tallies": (total,), "uses": (Use(b"tokens", 1),)} if total_size else {}

    def work() -> None:
        start.wait()
        for _ in range(questions):
            answer = ask(store, minute_limit=limit, month_limit=10**9, cost=2, **more)
            if answer is None and total_size:
                seed_tallies(store, total)
                answer = ask(store, minute_limit=limit, month_limit=10**9, cost=2, **more)
            if answer is None:
                raise RuntimeError("the month was not seeded")
            if answer.refused_by is None:
                admitted.append(answer.counts[0].used if total_size else answer.minute_used)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    os.read(gate, 1)
    start.set()
    for worker in workers:
        worker.join()
    return " ".join(map(str, admitted)) + "\n"


def main(
    address: str, processes: int, threads: int, questions: int, limit: int, total_size: int
) -> None:
    gate, open_gate = os.pipe()
    answers = []
    for _ in range(processes):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            try:
                os.close(open_gate)
                answer = ask_with_threads(address, threads, questions, limit, total_size, gate)
                os.write(writing, answer.encode())
            finally:
                os._exit(0)
        os.close(writing)
        answers.append(reading)
    os.close(open_gate)
    for reading in answers:
        with os.fdopen(reading) as finished:
            sys.stdout.write(finished.read())


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
