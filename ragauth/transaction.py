"""The single commit point.

A transaction writes unless it says that it only reads. On SQLite a writing one starts with
BEGIN IMMEDIATE (see `ragauth.database`), so it must be short: nothing slow, a password hash
above all, may happen while one is open.

A block may be opened inside another one: a service looks something up, hashes, and only then
begins to write. The inner block must be first. Once the outer one has sent a query, holds a lock
or has something to write, the inner block would drop all that with its own end, so opening it is
an error (TransactionMisused) instead.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ragauth.database import has_written, is_unreplicated, only_reads
from ragauth.errors import ExternalServiceUnavailable, RagauthError
from ragauth.extensions import db

log = logging.getLogger("ragauth")

_WHEN_COMMITTED = "when_committed"


class TransactionMisused(RuntimeError):
    """The code would lose what it wrote, or the lock that it holds: a bug, never a caller's."""


@contextmanager
def unit_of_work() -> Iterator[None]:
    """Commit what the block wrote, or none of it.

    A RagauthError that `keeps_changes` is raised after the commit. Raises TransactionMisused
    inside a transaction that has begun.
    """
    with _own_transaction(reads=False):
        try:
            yield
        except RagauthError as error:
            if error.keeps_changes:
                _commit()
            raise
        else:
            _commit()


@contextmanager
def read_only() -> Iterator[None]:
    """A short transaction that only reads; it begins with its first query.

    The rows that it loaded stay readable afterwards, detached. Raises TransactionMisused inside
    a transaction that has begun, and for a block that wrote: nothing would commit that.
    """
    with _own_transaction(reads=True):
        try:
            yield
        except RagauthError as error:
            if error.keeps_changes:
                _require_nothing_written()
            raise
        else:
            _require_nothing_written()


def release() -> None:
    """End the present transaction, which has only read, and with it the locks that it holds.

    The next query begins another. For slow work in the middle of a unit of work, which has to
    look again afterwards. Raises TransactionMisused for a transaction that has written.
    """
    _require_nothing_written()
    db.session.close()


def when_committed(call: Callable[[], object]) -> None:
    """Call it right after the present transaction's commit, and not without one.

    For what must not wait but may be lost: a process can die between the two.
    """
    db.session.info.setdefault(_WHEN_COMMITTED, []).append(call)


@contextmanager
def _own_transaction(*, reads: bool) -> Iterator[None]:
    """What is written and queued within the block belongs to the block alone."""
    if db.session().in_transaction():
        raise TransactionMisused("a transaction has begun already: this block would end it")
    reads_token, written_token = only_reads.set(reads), has_written.set(False)
    outer_calls = db.session.info.pop(_WHEN_COMMITTED, None)
    try:
        yield
    finally:
        db.session.close()
        only_reads.reset(reads_token)
        has_written.reset(written_token)
        db.session.info.pop(_WHEN_COMMITTED, None)
        if outer_calls is not None:
            db.session.info[_WHEN_COMMITTED] = outer_calls


def _commit() -> None:
    """Raises ExternalServiceUnavailable for a commit that a fail-over could undo."""
    is_unreplicated.set(False)
    db.session.commit()
    if is_unreplicated.get():
        log.error("a commit was cancelled while it waited for a standby")
        raise ExternalServiceUnavailable
    for call in db.session.info.pop(_WHEN_COMMITTED, ()):
        call()


def _require_nothing_written() -> None:
    session = db.session()
    changed = any(session.is_modified(row) for row in session.dirty)
    if session.new or session.deleted or changed:
        raise TransactionMisused("what was added or changed here is never committed")
    if has_written.get():
        raise TransactionMisused("what was written here is never committed")
