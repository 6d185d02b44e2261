"""The background work of sending webhooks: a thread for each endpoint for which something is due.

So an endpoint that is slow or dead holds up neither mail nor another endpoint.
"""

import logging
import threading
import time
import uuid

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from ragauth.background.turns import turn_of
from ragauth.services.troubles import Work
from ragauth.services.webhooks.messages import webhook_bell
from ragauth.services.webhooks.sending import list_endpoints_with_due, send_due_messages
from ragauth.services.webhooks.types import MOST_ENDPOINTS

log = logging.getLogger("ragauth")

# The longest wait of a message that another service's process queued, or that is due for another
# try; and the pause of an endpoint that has failed.
INTERVAL_SECONDS = 2.0
_LAST_MESSAGES_SECONDS = 3.0


class WebhookSender:
    """Runs until the process ends; messages that are being sent then get a moment to arrive."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._is_stopping = threading.Event()
        self._work = Work("webhooks", "webhooks were not sent")
        # The endpoints that are sent to now, by one thread each.
        self._threads: dict[uuid.UUID, threading.Thread] = {}

    def run(self) -> None:
        with self._app.app_context():
            bell = webhook_bell()
        while not self._is_stopping.is_set():
            self.take_turn()
            bell.wait(INTERVAL_SECONDS)

    def take_turn(self) -> None:
        """Begin to send what is due. Nothing is lost by a failure: the messages wait."""
        due: list[uuid.UUID] = []
        with turn_of(self._work, self._app):
            due = list_endpoints_with_due()
            self._work.note(None)
        for webhook_id in due:
            if webhook_id not in self._threads and len(self._threads) < MOST_ENDPOINTS:
                thread = threading.Thread(
                    target=self._send, args=(webhook_id,), name="webhook", daemon=True
                )
                self._threads[webhook_id] = thread
                thread.start()

    def stop(self) -> None:
        """End the work; another process, or the next one, sends what is left."""
        self._is_stopping.set()
        with self._app.app_context():
            webhook_bell().ring()
        ends_at = time.monotonic() + _LAST_MESSAGES_SECONDS
        for thread in list(self._threads.values()):
            thread.join(max(0.0, ends_at - time.monotonic()))

    def _send(self, webhook_id: uuid.UUID) -> None:
        try:
            with self._app.app_context():
                done = send_due_messages(webhook_id, is_stopping=self._is_stopping.is_set)
            if done.postponed:
                self._is_stopping.wait(INTERVAL_SECONDS)
        except SQLAlchemyError as error:
            log.warning("webhooks were not sent", extra={"cause": type(error).__name__})
            self._is_stopping.wait(INTERVAL_SECONDS)
        except Exception:  # a bug with one endpoint; the others are sent to
            log.exception("webhooks were not sent")
            self._is_stopping.wait(INTERVAL_SECONDS)
        finally:
            del self._threads[webhook_id]
            # For a message that was queued after the last look: until now it had a thread.
            with self._app.app_context():
                webhook_bell().ring()
