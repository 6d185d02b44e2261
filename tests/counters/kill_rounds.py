"""Kills processes while they count: python -m tests.counters.kill_rounds ADDRESS ROUNDS.

A process of one thread, since only such a one may fork safely. Each round forks three counters,
each of which reports every admission with one byte *after* its answer; two are killed in the
middle, the third has to finish. Prints one line for each: killed or finished, reported, stored.
"""

import os
import random
import signal
import sys

from ragauth.counters import LmdbCounters
from tests.counters.questions import ACCOUNT, ask, open_store, seed

SURVIVOR_ASKS = 150


def say(*words: object) -> None:
    # At once: a fork would print again what was still buffered.
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def count(address: str, key: bytes, report: int, asks: int) -> None:
    store = open_store(address)
    signal.alarm(60)
    for _ in range(asks):
        answer = ask(store, key=key, minute_limit=10**9, month_limit=10**9)
        if answer is None or answer.refused_by is not None:
            os._exit(3)
        os.write(report, b".")
    os._exit(0)


def fork_counter(address: str, key: bytes, asks: int) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            count(address, key, writing, asks)
        finally:
            os._exit(4)
    os.close(writing)
    return child, reading


def read_to_the_end(pipe: int) -> int:
    total = 0
    while chunk := os.read(pipe, 65_536):
        total += len(chunk)
    os.close(pipe)
    return total


def main(address: str, rounds: int) -> None:
    store = open_store(address)
    seed(store)
    for turn in range(rounds):
        keys = [(turn * 3 + n).to_bytes(16, "big") for n in range(3)]
        counters = [
            fork_counter(address, key, asks)
            for key, asks in zip(keys, (10**9, 10**9, SURVIVOR_ASKS), strict=True)
        ]
        reported = [0, 0, 0]
        for n in (0, 1):
            enough = random.randint(1, 100)
            while reported[n] < enough and (got := os.read(counters[n][1], 64)):
                reported[n] += len(got)
            os.kill(counters[n][0], signal.SIGKILL)
        for n, (child, pipe) in enumerate(counters):
            reported[n] += read_to_the_end(pipe)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            stored = {row.key: row.requests for row in store.changed_usage(10)}
            say(status, reported[n], stored.get(keys[n], 0))
        store.usage_saved(store.changed_usage(10))
        if store.changed_usage(10):
            raise RuntimeError("somebody still counts")
    if isinstance(store, LmdbCounters):
        die_inside_a_transaction(store)
    say("then", ask(store, minute_limit=10**9, month_limit=10**9) is not None)
    store.forget_account(ACCOUNT)
    store.close()


def die_inside_a_transaction(store: LmdbCounters) -> None:
    """Let a process die while it holds the write lock, with pages half written."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        transaction = store._file.enter().begin(write=True)
        for n in range(1_000):
            transaction.put(b"junk%d" % n, b"x" * 300)
        os.write(writing, b".")
        signal.alarm(60)
        signal.pause()
        os._exit(4)
    os.close(writing)
    os.read(reading, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    junk = store._file.transact(lambda txn: txn.get(b"junk0"))
    say("junk", junk is not None)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
