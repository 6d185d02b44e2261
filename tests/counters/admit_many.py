"""Processes of many threads that ask at once: python -m tests.counters.admit_many ADDRESS ….

Arguments: processes, threads in each, questions of each thread, limit of the minute. Prints, for
each process, the place in the minute of each of its admissions.
"""

import os
import signal
import sys
import threading

from tests.counters.questions import ask, open_store


def ask_with_threads(address: str, threads: int, questions: int, limit: int, gate: int) -> str:
    store = open_store(address)
    store.ping()
    admitted: list[int] = []
    start = threading.Event()

    def work() -> None:
        start.wait()
        for _ in range(questions):
            answer = ask(store, minute_limit=limit, month_limit=10**9, cost=2)
            if answer is None:
                raise RuntimeError("the month was not seeded")
            if answer.refused_by is None:
                admitted.append(answer.minute_used)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    os.read(gate, 1)
    start.set()
    for worker in workers:
        worker.join()
    return " ".join(map(str, admitted)) + "\n"


def main(address: str, processes: int, threads: int, questions: int, limit: int) -> None:
    gate, open_gate = os.pipe()
    answers = []
    for _ in range(processes):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            try:
                os.close(open_gate)
                answer = ask_with_threads(address, threads, questions, limit, gate)
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
