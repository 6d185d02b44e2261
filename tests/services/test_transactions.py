"""No write is lost: a block inside another ends only what it began itself."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import delete, func, insert, select, update

from ragauth import transaction
from ragauth.errors import Conflict, InvalidLogin
from ragauth.extensions import db
from ragauth.models import Account, Event
from ragauth.models import accounts as account_rows
from ragauth.models import events as event_rows
from ragauth.security.identifiers import ACCOUNT, decode_id, new_uuid
from ragauth.services import audit
from ragauth.services.audit import OPERATOR, EventName
from ragauth.transaction import TransactionMisused
from tests.clients import Client, Member

pytestmark = pytest.mark.both_databases

BLOCKS = pytest.mark.parametrize(
    "block", [transaction.read_only, transaction.unit_of_work], ids=["read_only", "unit_of_work"]
)
Block = Callable[[], AbstractContextManager[None]]
EVENTS = Event.__table__


@pytest.fixture
def app(app: Flask) -> Iterator[Flask]:
    with app.app_context():
        yield app


@pytest.fixture
def member(app: Flask) -> Member:
    return Client(app).sign_up()


def run(block: Block, *steps: Callable[[], object]) -> None:
    """One step after the other within the block."""
    with block():
        for step in steps:
            step()


def fail(error: type[Exception]) -> None:
    raise error


def record() -> None:
    audit.record(EventName.ACCOUNT_CHANGED, account_id=None, client=OPERATOR)


def count_events() -> int:
    with transaction.read_only():
        return db.session.scalar(select(func.count()).where(Event.account_id.is_(None))) or 0


def find(member: Member) -> Account:
    account = account_rows.find_account(decode_id(ACCOUNT, member.id))
    assert account is not None
    return account


def flushed(_member: Member) -> None:
    record()
    db.session.flush()


def added(_member: Member) -> None:
    record()


def changed(member: Member) -> None:
    find(member).name = "Ada"


def removed(member: Member) -> None:
    db.session.delete(find(member))


def updated(member: Member) -> None:
    is_it = Account.id == decode_id(ACCOUNT, member.id)
    db.session.execute(update(Account).where(is_it).values(name="Ada"))


def deleted(_member: Member) -> None:
    db.session.execute(delete(Event))


def inserted_past_the_session(_member: Member) -> None:
    values = {"id": new_uuid(), "name": "x", "at": find(_member).created_at, "details": {}}
    db.session.connection().execute(insert(EVENTS), [values])


def locked(member: Member) -> None:
    account_rows.lock_account(decode_id(ACCOUNT, member.id))


def read(member: Member) -> None:
    find(member)


WRITES = [flushed, added, changed, removed, updated, deleted, inserted_past_the_session]


class TestABlockInsideAnother:
    @BLOCKS
    @pytest.mark.parametrize("act", [*WRITES, locked, read])
    def test_in_one_that_has_begun_is_an_error_at_once(
        self, member: Member, block: Block, act: Callable[[Member], None]
    ) -> None:
        with pytest.raises(TransactionMisused):
            run(transaction.unit_of_work, partial(act, member), partial(run, block))

    def test_an_error_that_is_caught_has_lost_nothing(self, app: Flask) -> None:
        with transaction.unit_of_work():
            record()
            with pytest.raises(TransactionMisused), transaction.read_only():
                pytest.fail("the block was entered")
        assert count_events() == 1

    def test_the_reads_come_first_and_the_writes_follow(self, member: Member) -> None:
        before = count_events()
        with transaction.unit_of_work():
            with transaction.read_only():
                account = find(member)
            with transaction.read_only():
                assert find(member).id == account.id
            record()
        assert account.email == member.email
        assert count_events() == before + 1

    @pytest.mark.parametrize("outer", [transaction.read_only, transaction.unit_of_work])
    def test_an_inner_unit_of_work_is_committed_whatever_becomes_of_the_outer(
        self, app: Flask, outer: Block
    ) -> None:
        with pytest.raises(Conflict):
            run(outer, partial(run, transaction.unit_of_work, record), partial(fail, Conflict))
        assert count_events() == 1

    def test_an_inner_commit_calls_what_the_inner_block_queued_alone(self, app: Flask) -> None:
        calls: list[str] = []
        with transaction.unit_of_work():
            transaction.when_committed(lambda: calls.append("outer"))
            with transaction.unit_of_work():
                transaction.when_committed(lambda: calls.append("inner"))
            assert calls == ["inner"]
        assert calls == ["inner", "outer"]

    def test_what_the_outer_one_queued_outlives_the_inner(self, app: Flask) -> None:
        calls: list[str] = []
        with transaction.unit_of_work():
            transaction.when_committed(lambda: calls.append("outer"))
            with transaction.read_only():
                event_rows.list_latest(None, None, limit=1)
        assert calls == ["outer"]

    def test_a_unit_of_work_after_an_inner_read_takes_the_write_lock_at_its_start(
        self, app: Flask
    ) -> None:
        """Two that read and then write follow one another; on SQLite neither fails."""
        barrier = threading.Barrier(2, timeout=10)

        def read_and_write() -> None:
            with app.app_context(), transaction.unit_of_work():
                with transaction.read_only():
                    event_rows.list_latest(None, None, limit=1)
                barrier.wait()
                event_rows.list_latest(None, None, limit=1)
                record()

        threads = [threading.Thread(target=read_and_write) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert count_events() == 2


class TestABlockThatOnlyReads:
    @pytest.mark.parametrize("act", WRITES)
    def test_cannot_swallow_a_write(self, member: Member, act: Callable[[Member], None]) -> None:
        with pytest.raises(TransactionMisused), transaction.read_only():
            act(member)

    def test_cannot_swallow_what_a_failure_would_keep(self, app: Flask) -> None:
        with pytest.raises(TransactionMisused):
            run(transaction.read_only, record, partial(fail, InvalidLogin))

    def test_may_fail_as_any_other(self, member: Member) -> None:
        with pytest.raises(InvalidLogin):
            run(transaction.read_only, partial(read, member), partial(fail, InvalidLogin))

    def test_needs_no_database_for_what_asks_nothing(self, app: Flask) -> None:
        with transaction.read_only():
            assert not db.session().in_transaction()


class TestRelease:
    def test_the_lock_is_free_while_the_unit_of_work_goes_on(
        self, app: Flask, member: Member
    ) -> None:
        def change() -> None:
            with app.app_context(), transaction.unit_of_work():
                locked(member)
                record()

        with transaction.unit_of_work():
            locked(member)
            transaction.release()
            other = threading.Thread(target=change)
            other.start()
            other.join()
            locked(member)
            record()
        assert count_events() == 2

    @pytest.mark.parametrize("act", WRITES)
    def test_of_one_that_has_written_is_an_error(
        self, member: Member, act: Callable[[Member], None]
    ) -> None:
        with pytest.raises(TransactionMisused):
            run(transaction.unit_of_work, partial(act, member), transaction.release)
