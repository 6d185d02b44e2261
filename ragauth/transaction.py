"""Where a transaction begins and ends: the single commit point.

A service function puts `with transaction.unit_of_work():`, or `with transaction.read_only():`,
around what belongs to its transaction. Slow work stays outside the block: a password hash, a
counter (which may be across a network), a mail. On SQLite a unit of work begins with BEGIN
IMMEDIATE (see `ragauth.database`), so it blocks every other writer and must be short.

There is one block at a time. A block inside another one would end the outer transaction, so it is
an error at once (TransactionMisused). So is a query or a new row without a block: nothing would
commit it. A function that is a part of a larger transaction says so in its docstring ("in the
present transaction") and opens none.

What must be committed together with the answer to a call is put around the service function with
`held_open`: the one unit of work that the function opens is then committed at the end of that.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import event

from ragauth.database import has_written, is_unreplicated, longest_wait_ms, only_reads
from ragauth.deadlines import may_wait, require_thread
from ragauth.errors import ExternalServiceUnavailable, RagauthError
from ragauth.extensions import db

log = logging.getLogger("ragauth")

# The key in the session's `info`, while a block is open, for what to call after its commit.
_CALLS = "when_committed"


class TransactionMisused(RuntimeError):
    """A bug in ragauth: the code would lose what it wrote, or a lock that it holds."""


class HeldOpen:
    """A unit of work that others begin, and that its holder commits; see `held_open`."""

    def __init__(
        self, stack: ExitStack, at_first: Callable[[], None], wait_ms: int | None = None
    ) -> None:
        self._stack = stack
        self._at_first = at_first
        self._wait_ms = wait_ms
        self.has_begun = False
        self.calls: list[Callable[[], object]] = []

    def begin(self) -> None:
        """Open the block, and do what comes first in it; TransactionMisused if one is open."""
        self.calls = self._stack.enter_context(_block(reads=False, wait_ms=self._wait_ms))
        self.has_begun = True
        self._at_first()


_held: ContextVar[HeldOpen | None] = ContextVar("held_open", default=None)


@contextmanager
def unit_of_work(*, wait_ms: int | None = None) -> Iterator[None]:
    """Commit what the block wrote, or none of it.

    `wait_ms` is the longest wait for those who hold what it wants to write; without it, the wait is
    as long as that of any other.

    A RagauthError that `keeps_changes` is raised after the commit. The rows stay readable
    afterwards, detached. Raises TransactionMisused inside another block.

    Within `held_open` it is committed at the end of that, which has its own `wait_ms`.
    """
    held = _held.get()
    if held is not None:
        held.begin()
        yield
        return
    with _committed_at_the_end(at_first=_nothing, before_refusal=_nothing, wait_ms=wait_ms) as unit:
        unit.begin()
        yield


@contextmanager
def held_open(
    *, at_first: Callable[[], None], before_refusal: Callable[[], None], wait_ms: int
) -> Iterator[HeldOpen]:
    """Let the unit of work that is begun within this block be committed at the end of this block.

    So the holder can write, in the same transaction, what became of it. `at_first` is called at the
    beginning of the unit of work, `before_refusal` before the commit if an error that
    `keeps_changes` is raised; any other error rolls everything back. `wait_ms` is that of the unit
    of work. There is one at most: a second block after it raises TransactionMisused.
    """
    with _committed_at_the_end(
        at_first=at_first, before_refusal=before_refusal, wait_ms=wait_ms
    ) as held:
        token = _held.set(held)
        try:
            yield held
        finally:
            _held.reset(token)


@contextmanager
def _committed_at_the_end(
    *,
    at_first: Callable[[], None],
    before_refusal: Callable[[], None],
    wait_ms: int | None,
) -> Iterator[HeldOpen]:
    """Commit the unit of work that is begun in the block, if any; then call what follows it."""
    refusal: RagauthError | None = None
    with ExitStack() as stack:
        unit = HeldOpen(stack, at_first, wait_ms)
        try:
            yield unit
        except RagauthError as error:
            if not (error.keeps_changes and unit.has_begun):
                raise
            before_refusal()
            refusal = error
        if unit.has_begun:
            _commit()
    for call in unit.calls:
        call()
    if refusal is not None:
        raise refusal


def _nothing() -> None:
    """An ordinary unit of work has nothing of its holder's in it."""


@contextmanager
def read_only() -> Iterator[None]:
    """A short transaction that only reads; it begins with its first query.

    The rows that it loaded stay readable afterwards, detached. Raises TransactionMisused inside
    another block, and for a block that wrote: nothing would commit that.

    In the polling thread there is none: plain rows are read one statement at a time, each as the
    latest commit has them (`models.base.read_rows`), and any other query raises WouldWait.
    """
    if not may_wait():
        yield
        return
    with _block(reads=True):
        try:
            yield
        except RagauthError as error:
            if error.keeps_changes:
                _require_nothing_written()
            raise
        else:
            _require_nothing_written()


def when_committed(call: Callable[[], object]) -> None:
    """Call a function right after the present transaction's commit; never if it is not committed.

    For calls that may be lost, since the process can die between the two. Raises TransactionMisused
    without a block.
    """
    if not is_open():
        raise TransactionMisused("there is no transaction whose commit this could follow")
    db.session.info[_CALLS].append(call)


def is_open() -> bool:
    """Whether a block is open in this application context; its transaction may not have begun."""
    return _CALLS in db.session.info


@contextmanager
def _block(*, reads: bool, wait_ms: int | None = None) -> Iterator[list[Callable[[], object]]]:
    """One session, closed in the end; gives what is to be called after the commit."""
    require_thread()
    if is_open():
        raise TransactionMisused("a block is open already: this one would end its transaction")
    calls: list[Callable[[], object]] = []
    db.session.info[_CALLS] = calls
    reads_token, written_token = only_reads.set(reads), has_written.set(False)
    wait_token = longest_wait_ms.set(wait_ms)
    try:
        yield calls
    finally:
        db.session.close()
        del db.session.info[_CALLS]
        longest_wait_ms.reset(wait_token)
        only_reads.reset(reads_token)
        has_written.reset(written_token)


@event.listens_for(db.session, "after_transaction_create")
def _require_block(session: Any, _transaction: object) -> None:
    """Require that a transaction (its first query or new row) begins within a block."""
    if _CALLS not in session.info:
        require_thread()
        raise TransactionMisused("there is no block: nothing would commit this, or end it")


def _commit() -> None:
    """Commit; raises ExternalServiceUnavailable if a fail-over could undo the commit."""
    is_unreplicated.set(False)
    db.session.commit()
    if is_unreplicated.get():
        log.error("a commit was cancelled while it waited for a standby")
        raise ExternalServiceUnavailable


def _require_nothing_written() -> None:
    session = db.session()
    changed = any(session.is_modified(row) for row in session.dirty)
    if session.new or session.deleted or changed:
        raise TransactionMisused("what was added or changed here is never committed")
    if has_written.get():
        raise TransactionMisused("what was written here is never committed")
