"""The background work of sending mail: as soon as a process of this service has queued one."""

import threading
import time

from flask import Flask

from ragauth.background.turns import turn_of
from ragauth.services.accounts.password_reset import answer_request
from ragauth.services.mail.queue import mail_bell
from ragauth.services.mail.sending import has_failed_mail, send_due_mail
from ragauth.services.troubles import Work

# The longest wait of a mail that another service's process queued, or that is due for another try.
INTERVAL_SECONDS = 2.0
# A mail that follows others within this time waits for more of them: a turn for each would take
# the processor, and SQLite's write lock, from those who answer. Any other mail is sent at once.
_SOON_SECONDS = 0.5
_GATHERING_SECONDS = 0.2
_LAST_MAIL_SECONDS = 3.0


class MailSender:
    """Runs until the process ends; a mail that is being sent then gets a moment to arrive."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._is_stopping = threading.Event()
        self._has_ended = threading.Event()
        self._work = Work("mail", "mail was not sent")

    def run(self) -> None:
        with self._app.app_context():
            bell = mail_bell()
        while not self._is_stopping.is_set():
            self.take_turn()
            worked_at = time.monotonic()
            bell.wait(INTERVAL_SECONDS)
            if time.monotonic() - worked_at < _SOON_SECONDS:
                self._is_stopping.wait(_GATHERING_SECONDS)
        self._has_ended.set()

    def take_turn(self) -> None:
        """Send what is due. Nothing is lost by a failure: the mails wait in the database."""
        with turn_of(self._work, self._app):
            done = send_due_mail(answer_reset=answer_request, is_stopping=self._is_stopping.is_set)
            # If nothing was due, failed mails may still wait for their next try.
            if done.cause or done.sent or not (self._work.is_failing and has_failed_mail()):
                self._work.note(done.cause)

    def stop(self) -> None:
        """End the work; another process, or the next one, sends what is left."""
        self._is_stopping.set()
        with self._app.app_context():
            mail_bell().ring()
        self._has_ended.wait(_LAST_MAIL_SECONDS)
