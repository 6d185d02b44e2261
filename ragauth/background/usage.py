"""The background work of saving usage: every ten seconds, and when the process ends."""

import logging
import threading
from collections.abc import Callable

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from ragauth.background.turns import turn_of
from ragauth.counters import Counters
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.usage import (
    give_turn_away,
    save_last_usage,
    save_usage,
    save_usage_in_turn,
)
from ragauth.services.troubles import Work

log = logging.getLogger("ragauth")

# Rarely, because a key costs one row at each turn, however often it was checked. Readers save first
# (`services.limits.usage`), so nobody sees that the database lags behind.
INTERVAL_SECONDS = 10.0
_LAST_SAVE_SECONDS = 8.0


def save_all(app: Flask, counters: Counters) -> None:
    """Save what one store has counted; a failure of the database is logged.

    For the end of an outage of Redis. Nobody is told of limits meanwhile: that asks the counters,
    which wait for the end of the outage.
    """
    with app.app_context():
        try:
            save_usage(counters, tell=lambda _rows: True)
        except SQLAlchemyError as error:
            log.warning("usage was not saved", extra={"cause": type(error).__name__})


class UsageSaver:
    """Saves usage until the process ends, and once more at the end."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._is_stopping = threading.Event()
        self._has_ended = threading.Event()
        self._work = Work("usage", "usage was not saved")

    def run(self) -> None:
        while not self._is_stopping.wait(INTERVAL_SECONDS):
            self.take_turn()
        self._take(save_last_usage)
        self._take(give_turn_away)
        self._has_ended.set()

    def take_turn(self) -> None:
        """Save once. Nothing is lost by a failure: the totals wait in the counters."""
        self._take(save_usage_in_turn)

    def stop(self) -> None:
        """End the work, and wait a little for the last save; another process saves what is left."""
        self._is_stopping.set()
        self._has_ended.wait(_LAST_SAVE_SECONDS)

    def _take(self, step: Callable[[Counters], object]) -> None:
        with turn_of(self._work, self._app):
            step(current_limits().counters)
            # A success even if another process had the turn: that process reports its own failures.
            self._work.note(None)
