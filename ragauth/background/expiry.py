"""The background work of telling of expired keys: every ten seconds."""

import threading

from flask import Flask

from ragauth.background.turns import turn_of
from ragauth.services.keys.expiry import tell_of_expired_keys
from ragauth.services.troubles import Work

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
        with turn_of(self._work, self._app):
            tell_of_expired_keys()
            self._work.note(None)

    def stop(self) -> None:
        """End the work at once; a look that has begun is taken back, or ends by itself."""
        self._is_stopping.set()
