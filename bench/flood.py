"""How long a check takes while others guess passwords as fast as they can."""

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from statistics import median, quantiles

from bench import wrk
from bench.client import Caller
from bench.figures import Figure, Report
from bench.population import email
from bench.setting import Setting, serve
from tests.servers.gunicorn import GunicornServer

# A load that an idle server hardly feels: what is measured is waiting, not saturation.
_CALLERS = 4
_INTERVAL_SECONDS = 0.02
_FLOODERS = (0, 8, 32)
_GOALS = {8: 2.0, 32: 3.0}
_SETTLE_SECONDS = 1.0
_MOST_SECONDS = 120.0


def measure(setting: Setting, report: Report) -> None:
    """Compare the p99 of paced checks during a flood with the p99 of a quiet server."""
    installation = setting.usual()
    keys = installation.sample(setting.asked_keys)
    seconds = setting.seconds * 2.5
    p50: dict[int, list[float]] = {flooders: [] for flooders in _FLOODERS}
    p99: dict[int, list[float]] = {flooders: [] for flooders in _FLOODERS}
    with serve(installation.environment) as server:
        guesses = _guesses(server, setting)
        pace(server.url, keys, 1.0)
        for _ in range(setting.few_rounds):
            for flooders in _FLOODERS:
                with _flood(guesses, flooders, seconds):
                    time.sleep(_SETTLE_SECONDS if flooders else 0)
                    waits = pace(server.url, keys, seconds)
                cuts = quantiles(waits, n=100)
                p50[flooders].append(cuts[49] * 1000)
                p99[flooders].append(cuts[98] * 1000)
                # Until the last guesses are answered.
                time.sleep(_SETTLE_SECONDS)
    for flooders, goal in _GOALS.items():
        ratio = median(p99[flooders]) / median(p99[0])
        report.figures.append(
            Figure(f"p99 beside {flooders} login flooders ÷ idle", ratio, at_most=goal)
        )
    report.notes += [
        f"authorize with {flooders} login flooders: p50 {median(p50[flooders]):.2f} ms,"
        f" p99 {median(p99[flooders]):.2f} ms"
        f" ({min(p99[flooders]):.2f} to {max(p99[flooders]):.2f} ms)"
        for flooders in _FLOODERS
    ]


def pace(url: str, keys: list[str], seconds: float) -> list[float]:
    """Ask at a fixed rate over a few connections; how long each answer took, in seconds.

    A wait begins when the question was due, if the connection was still busy then, so that a slow
    answer does not hide those that it kept from being asked; otherwise when it was sent, so that
    the client's own oversleeping is not the server's.
    """
    waits: list[float] = []
    faults: list[int] = []
    begins_at = time.monotonic() + 0.05

    def call(index: int) -> None:
        caller = Caller(url)
        due_at = begins_at + index * _INTERVAL_SECONDS / _CALLERS
        turn = index
        while due_at < begins_at + seconds:
            is_late = time.monotonic() > due_at
            if not is_late:
                time.sleep(due_at - time.monotonic())
            asked_at = due_at if is_late else time.monotonic()
            key = keys[turn % len(keys)]
            status, _ = caller.ask("GET", "/api/v1/authorize", credential=key)
            waits.append(time.monotonic() - asked_at)
            if status != 200:
                faults.append(status)
            turn += _CALLERS
            due_at += _INTERVAL_SECONDS
        caller.close()

    threads = [threading.Thread(target=call, args=(index,)) for index in range(_CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = int(seconds / _INTERVAL_SECONDS) * _CALLERS
    if faults or len(waits) < expected - _CALLERS:
        raise RuntimeError(f"of {expected} checks {len(waits)} were answered; not 200: {faults}")
    return waits


def _flood(guesses: wrk.Questions, flooders: int, seconds: float) -> AbstractContextManager[None]:
    if not flooders:
        return nullcontext()
    # Killed when the checks are done, however long these had to wait.
    return wrk.flooding(guesses, seconds=seconds + _MOST_SECONDS, connections=flooders)


def _guesses(server: GunicornServer, setting: Setting) -> wrk.Questions:
    bodies = (
        ("", f'{{"email": "{email(number)}", "password": "wrong guess {number}"}}')
        for number in range(1_000)
    )
    file = wrk.write_lines(setting.folder / "guesses", bodies)
    return wrk.Questions(server.url, "POST", "/api/auth/login", file)
