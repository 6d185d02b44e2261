"""The background work of saving usage each second: in each worker, one at work at a time."""

import logging
import threading

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from ragauth.counters import CountersUnavailable
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.usage import save_usage_in_turn
from ragauth.services.troubles import BUG, COUNTERS, Work, database_cause

log = logging.getLogger("ragauth")

INTERVAL_SECONDS = 1.0


class UsageSaver:
    """Runs as long as the process."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._work = Work("usage", "usage was not saved")

    def run(self) -> None:
        never = threading.Event()
        while not never.wait(INTERVAL_SECONDS):
            self.take_turn()

    def take_turn(self) -> None:
        """Save once. Nothing is lost by a failure: the totals wait in the counters."""
        with self._app.app_context():
            try:
                save_usage_in_turn(current_limits().counters)
            except SQLAlchemyError as error:
                self._work.note(database_cause(error), type(error).__name__)
            except CountersUnavailable as error:
                self._work.note(COUNTERS, str(error))
            except Exception:  # a bug must not end the thread: usage would never be saved
                log.exception("usage was not saved")
                self._work.note(BUG)
            else:
                # Also if another worker had the turn: that worker reports its own failures.
                self._work.note(None)
