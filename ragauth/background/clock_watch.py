"""The background work of noticing that the wall clock was stepped."""

import logging
import os
import socket
import threading

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from ragauth import clock
from ragauth.counters import CountersUnavailable
from ragauth.metrics import CLOCK_STEPS
from ragauth.services.limits.limits import current_limits
from ragauth.services.operators import wrong_clock

log = logging.getLogger("ragauth")

INTERVAL_SECONDS = 1.0
# Smaller steps are ordinary corrections of a clock.
SMALLEST_STEP_SECONDS = 2.0

_LEASE_MS = 10_000


class ClockWatch:
    """Compares the wall clock with the monotonic clock, which cannot be set."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._ahead = _ahead_seconds()
        self._is_stopping = threading.Event()

    def run(self) -> None:
        self._ahead = _ahead_seconds()
        while not self._is_stopping.wait(INTERVAL_SECONDS):
            self.look()

    def stop(self) -> None:
        """End the watch at once."""
        self._is_stopping.set()

    def look(self) -> None:
        """Log a step of the clock since the last look; only one process of a service logs it."""
        ahead = _ahead_seconds()
        step, self._ahead = ahead - self._ahead, ahead
        if abs(step) < SMALLEST_STEP_SECONDS:
            return
        with self._app.app_context():
            if not _is_ours_to_tell():
                return
            CLOCK_STEPS.count("forward" if step > 0 else "back")
            log.warning(
                "the clock was stepped by %+.0f s", step, extra={"step_seconds": round(step)}
            )
            if step < 0:
                _mend()


def _ahead_seconds() -> float:
    return clock.now_ns() / 1e9 - clock.monotonic()


def _is_ours_to_tell() -> bool:
    # One name for each master: hosts that share Redis have different clocks.
    name = f"clock:{socket.gethostname()}:{os.getppid()}".encode()
    holder = os.getpid().to_bytes(8, "big")
    try:
        return current_limits().counters.acquire_lease(
            name, holder, _LEASE_MS, clock.now_ns() // 1_000_000
        )
    except CountersUnavailable:
        return True


def _mend() -> None:
    try:
        done = wrong_clock.mend()
    except SQLAlchemyError as error:
        log.warning(
            "what the wrong clock began was not ended; `cleanup` does it",
            extra={"cause": type(error).__name__},
        )
        return
    log.warning(
        "what the wrong clock began was ended",
        extra={
            "ended_sessions": done.sessions,
            "shortened_graces": done.graces,
            "withdrawn_tokens": done.tokens,
        },
    )
