"""Processes of many threads that take from one bucket: python -m tests.counters.take_many ….

Arguments: address of the store, processes, threads in each, questions of each thread, size of the
bucket. Prints, for each process, how often its questions were answered yes.
"""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.counters.questions import NOW, open_store


def take_with_threads(address: str, threads: int, questions: int, size: int, gate: int) -> int:
    store = open_store(address)
    store.ping()

    def work(_: int) -> int:
        answers = [store.take(b"bucket", 60_000, NOW, 2, size) for _ in range(questions)]
        return sum(answer.is_taken for answer in answers)

    os.read(gate, 1)
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(work, range(threads)))


def main(address: str, processes: int, threads: int, questions: int, size: int) -> None:
    gate, open_gate = os.pipe()
    answers = []
    for _ in range(processes):
        reading, writing = os.pipe()
        if os.fork() == 0:
            signal.alarm(60)
            os.close(open_gate)
            taken = take_with_threads(address, threads, questions, size, gate)
            os.write(writing, b"%d" % taken)
            os._exit(0)
        os.close(writing)
        answers.append(reading)
    os.close(open_gate)
    for reading in answers:
        with open(reading) as answer:
            sys.stdout.write(f"{answer.read()}\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
