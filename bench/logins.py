"""Logins a second against what the machine's cores can hash at all."""

import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from statistics import median

import bcrypt

from bench.client import Caller
from bench.figures import Figure, Report
from bench.setting import Setting, serve

_COST = 12
# More than have room at once (three for each worker), so that no place stays empty.
_CLIENTS_PER_WORKER = 12


def measure(setting: Setting, report: Report) -> None:
    """Compare successful logins with bare bcrypt in one process for each core."""
    cores = os.cpu_count() or 1
    installation = setting.usual()
    seconds = max(3.0, setting.seconds * 2)
    raw: list[float] = []
    served: list[float] = []
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(cores, mp_context=spawn) as pool,
        serve(installation.environment, workers=cores) as server,
    ):
        list(pool.map(_hashes_per_second, [0.5] * cores))
        for _ in range(setting.few_rounds):
            raw.append(sum(pool.map(_hashes_per_second, [seconds] * cores)))
            served.append(_logins_per_second(server.url, cores * _CLIENTS_PER_WORKER, seconds * 2))
    report.figures.append(
        Figure("logins/s ÷ raw bcrypt on all cores", median(served) / median(raw), at_least=0.97)
    )
    report.notes.append(
        f"logins: {median(served):.2f}/s ({min(served):.2f} to {max(served):.2f}) at bcrypt cost"
        f" {_COST} with {cores} workers; bcrypt alone in {cores} processes {median(raw):.2f}/s"
        f" ({min(raw):.2f} to {max(raw):.2f})"
    )


def _hashes_per_second(seconds: float) -> float:
    stored = bcrypt.hashpw(b"a password", bcrypt.gensalt(_COST))
    began_at = time.monotonic()
    count = 0
    while time.monotonic() - began_at < seconds:
        bcrypt.checkpw(b"another password", stored)
        count += 1
    return count / (time.monotonic() - began_at)


def _logins_per_second(url: str, clients: int, seconds: float) -> float:
    """How many log in, each of the clients again and again, between the first and the last."""
    ends_at = time.monotonic() + seconds
    done_at: list[float] = []

    def log_in_again(number: int) -> None:
        caller = Caller(url)
        while time.monotonic() < ends_at:
            caller.log_in(number)
            done_at.append(time.monotonic())
        caller.close()

    threads = [threading.Thread(target=log_in_again, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Those that end after the time is up have no successors, so the last ones would be too few.
    counted = sorted(moment for moment in done_at if moment < ends_at)
    if len(counted) < 2:
        raise RuntimeError("hardly anybody could log in")
    return (len(counted) - 1) / (counted[-1] - counted[0])
