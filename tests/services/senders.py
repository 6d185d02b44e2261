"""A background sender in a thread, as a serving process has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

from ragauth.background.mail import MailSender
from ragauth.background.webhooks import WebhookSender

_PATIENCE_SECONDS = 20

Sender = TypeVar("Sender", MailSender, WebhookSender)


@contextmanager
def running(sender: Sender) -> Iterator[Sender]:
    """Let it run; its thread ends with the block."""
    thread = Thread(target=sender.run)
    thread.start()
    try:
        yield sender
    finally:
        sender.stop()
        thread.join(_PATIENCE_SECONDS)
        assert not thread.is_alive()
