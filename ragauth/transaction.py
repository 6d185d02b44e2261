"""The single commit point.

A transaction writes unless it says that it only reads. On SQLite a writing one starts with
BEGIN IMMEDIATE (see `ragauth.database`), so it must be short: nothing slow, a password hash
above all, may happen while one is open.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ragauth.database import only_reads
from ragauth.errors import RagauthError
from ragauth.extensions import db

_WHEN_COMMITTED = "when_committed"


@contextmanager
def unit_of_work() -> Iterator[None]:
    """Commit what the block wrote, or none of it.

    A RagauthError that `keeps_changes` is raised after the commit.
    """
    token = only_reads.set(False)
    try:
        yield
    except RagauthError as error:
        if error.keeps_changes:
            _commit()
        raise
    else:
        _commit()
    finally:
        db.session.info.pop(_WHEN_COMMITTED, None)
        db.session.close()
        only_reads.reset(token)


def when_committed(call: Callable[[], object]) -> None:
    """Call it right after the present transaction's commit, and not without one.

    For what must not wait but may be lost: a process can die between the two.
    """
    db.session.info.setdefault(_WHEN_COMMITTED, []).append(call)


def _commit() -> None:
    db.session.commit()
    for call in db.session.info.pop(_WHEN_COMMITTED, ()):
        call()


@contextmanager
def read_only() -> Iterator[None]:
    """A short transaction that only reads; it begins with its first query.

    The rows that it loaded stay readable afterwards, detached.
    """
    token = only_reads.set(True)
    try:
        yield
    finally:
        db.session.close()
        only_reads.reset(token)
