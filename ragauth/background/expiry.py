"""The background work of telling of expired keys: every ten seconds."""

import logging
import threading

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from ragauth.services.keys.expiry import tell_of_expired_keys
from ragauth.services.troubles import BUG, Work, database_cause

log = logging.getLogger("ragauth")

INTERVAL_SECONDS = 10.0


class ExpiryWatch:
    """Looks for keys that have expired, until the process ends."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._is_stopping = threading.Event()
        self._work = Work("expiry", "expired keys were not told of")

    def run(self) -> None:
        while not self._is_stopping.wait(INTERVAL_SECONDS):
            self.take_turn()

    def take_turn(self) -> None:
        """Look once. Nothing is lost by a failure: the next look begins where the last ended."""
        with self._app.app_context():
            try:
                tell_of_expired_keys()
            except SQLAlchemyError as error:
                self._work.note(database_cause(error), type(error).__name__)
            except Exception:  # a bug must not end the thread: no expiry would be told any more
                log.exception("expired keys were not told of")
                self._work.note(BUG)
            else:
                self._work.note(None)

    def stop(self) -> None:
        """End the work at once; a look that has begun is taken back, or ends by itself."""
        self._is_stopping.set()
