"""One turn of background work: a failure is told by its cause, and ends the turn alone."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from ragauth.counters import CountersUnavailable
from ragauth.services.troubles import BUG, COUNTERS, Work, database_cause

log = logging.getLogger("ragauth")


@contextmanager
def turn_of(work: Work, app: Flask) -> Iterator[None]:
    """Do the block in the application's context; it notes its success itself."""
    with app.app_context():
        try:
            yield
        except SQLAlchemyError as error:
            work.note(database_cause(error), type(error).__name__)
        except CountersUnavailable as error:
            work.note(COUNTERS, str(error))
        except Exception:  # a bug must not end the thread: the work would never be done again
            log.exception(work.failure)
            work.note(BUG)
