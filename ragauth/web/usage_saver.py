"""The background work of saving usage each second: in each worker, one at work at a time."""

import logging
import threading

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from ragauth.counters import CountersUnavailable
from ragauth.services.limits import current_limits
from ragauth.services.usage import save_usage_in_turn

log = logging.getLogger("ragauth")

INTERVAL_SECONDS = 1.0


class UsageSaver:
    """Runs as long as the process."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def run(self) -> None:
        never = threading.Event()
        while not never.wait(INTERVAL_SECONDS):
            with self._app.app_context():
                try:
                    save_usage_in_turn(current_limits().counters)
                except (SQLAlchemyError, CountersUnavailable) as error:
                    # Nothing is lost: the totals wait in the counters for the next turn.
                    log.warning("usage was not saved", extra={"cause": type(error).__name__})
                except Exception:  # a bug must not end the thread: usage would never be saved
                    log.exception("usage was not saved")
