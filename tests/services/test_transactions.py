"""No write is lost: there is one block at a time, and nothing reads or writes without one."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, insert, inspect, select, update

from ragauth import transaction
from ragauth.errors import Conflict, InvalidCode, InvalidLogin
from ragauth.extensions import db
from ragauth.models import Account, Event
from ragauth.models import accounts as account_rows
from ragauth.models import events as event_rows
from ragauth.security.identifiers import ACCOUNT, decode_id, new_uuid
from ragauth.services import audit
from ragauth.services.accounts import hashing
from ragauth.services.accounts.hashing_gate import share_of
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.compat.query_upstream import QueryUpstream
from ragauth.services.keys import agents
from ragauth.services.limits.throttle import Throttle
from ragauth.services.mail.messages import Mail
from ragauth.services.mail.transport import SmtpServer
from ragauth.transaction import HeldOpen, TransactionMisused
from tests import slow_work
from tests.cases import for_each
from tests.clients import Client, Member
from tests.slow_work import SlowWorkInTransaction

BLOCKS = (transaction.read_only, transaction.unit_of_work)
Block = Callable[[], AbstractContextManager[Any]]
Hold = Callable[[], AbstractContextManager[HeldOpen]]
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


def count_in_block() -> int:
    return db.session.scalar(select(func.count()).where(Event.account_id.is_(None))) or 0


def count_events() -> int:
    with transaction.read_only():
        return count_in_block()


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


def inserted_by_the_driver(member: Member) -> None:
    values: dict[str, Any] = dict.fromkeys(EVENTS.c.keys())
    values |= {"id": new_uuid(), "name": "x", "at": find(member).created_at, "details": {}}
    event_rows.add(**values)


def locked(member: Member) -> None:
    account_rows.lock_account(decode_id(ACCOUNT, member.id))


def read(member: Member) -> None:
    find(member)


WRITES = [
    *(flushed, added, changed, removed, updated, deleted),
    *(inserted_past_the_session, inserted_by_the_driver),
]


class TestABlockInsideAnother:
    @for_each("block", BLOCKS)
    @for_each("act", [*WRITES, locked, read])
    def test_in_one_that_has_begun_is_an_error_at_once(
        self, member: Member, block: Block, act: Callable[[Member], None]
    ) -> None:
        with pytest.raises(TransactionMisused):
            run(transaction.unit_of_work, partial(act, member), partial(run, block))

    @for_each("block", BLOCKS)
    @for_each("outer", BLOCKS)
    def test_in_one_that_has_not_begun_is_an_error_too(
        self, app: Flask, outer: Block, block: Block
    ) -> None:
        with pytest.raises(TransactionMisused):
            run(outer, partial(run, block))

    def test_an_error_that_is_caught_has_lost_nothing(self, app: Flask) -> None:
        with transaction.unit_of_work():
            record()
            with pytest.raises(TransactionMisused), transaction.read_only():
                pytest.fail("the block was entered")
        assert count_events() == 1

    def test_a_service_that_begins_its_own_is_an_error(self, member: Member) -> None:
        """A part of a larger transaction is another function than a use case."""
        account_id = decode_id(ACCOUNT, member.id)
        with transaction.unit_of_work():
            record()
            with pytest.raises(TransactionMisused):
                agents.create_agent(
                    account_id=account_id, name="Ada", description=None, client=OPERATOR
                )
        assert count_events() == 1

    def test_blocks_follow_one_another(self, member: Member) -> None:
        with transaction.read_only():
            account = find(member)
        with transaction.unit_of_work():
            record()
        assert account.email == member.email
        assert count_events() == 1


class TestWithoutABlock:
    @pytest.mark.parametrize("act", [added, inserted_past_the_session, locked, read])
    def test_the_database_is_not_asked_and_nothing_is_added(
        self, member: Member, act: Callable[[Member], None]
    ) -> None:
        with pytest.raises(TransactionMisused):
            act(member)

    def test_a_row_is_not_added(self, app: Flask) -> None:
        with pytest.raises(TransactionMisused):
            db.session.add(Event(id=new_uuid(), name="x", details={}))


class TestRowsThatWereRead:
    """What a service returns is dumped when its transaction is over."""

    @pytest.mark.both_databases
    @for_each("block", BLOCKS)
    def test_are_readable_and_ask_nothing_more(self, member: Member, block: Block) -> None:
        with block():
            account = find(member)
        columns = {column.key: getattr(account, column.key) for column in Account.__table__.columns}
        assert columns["email"] == member.email
        assert inspect(account).detached
        assert not inspect(account).expired_attributes


class TestABlockThatOnlyReads:
    @pytest.mark.both_databases
    @for_each("act", WRITES)
    def test_cannot_swallow_a_write(self, member: Member, act: Callable[[Member], None]) -> None:
        with pytest.raises(TransactionMisused), transaction.read_only():
            act(member)

    def test_cannot_swallow_what_a_failure_would_keep(self, app: Flask) -> None:
        with pytest.raises(TransactionMisused):
            run(transaction.read_only, record, partial(fail, InvalidCode))

    def test_may_fail_as_any_other(self, member: Member) -> None:
        with pytest.raises(InvalidLogin):
            run(transaction.read_only, partial(read, member), partial(fail, InvalidLogin))

    def test_needs_no_database_for_what_asks_nothing(self, app: Flask) -> None:
        with transaction.read_only():
            assert not db.session().in_transaction()


@pytest.mark.both_databases
class TestAUnitOfWork:
    def test_takes_the_write_lock_before_it_reads(self, app: Flask) -> None:
        """Two that read and then write follow one another; on SQLite neither fails."""
        barrier = threading.Barrier(2, timeout=10)

        def read_and_write() -> None:
            with app.app_context(), transaction.unit_of_work():
                barrier.wait()
                event_rows.list_latest(None, None, limit=1)
                record()

        threads = [threading.Thread(target=read_and_write) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert count_events() == 2

    def test_ends_with_a_failure_that_keeps_nothing(self, app: Flask) -> None:
        with pytest.raises(Conflict):
            run(transaction.unit_of_work, record, partial(fail, Conflict))
        assert count_events() == 0


@pytest.mark.both_databases
class TestAUnitOfWorkThatIsHeldOpen:
    """What is committed together with the answer to a call."""

    @pytest.fixture
    def done(self) -> list[str]:
        return []

    @pytest.fixture
    def hold(self, app: Flask, done: list[str]) -> Hold:
        return partial(
            transaction.held_open,
            at_first=lambda: done.append(f"first of {count_in_block()}"),
            before_refusal=lambda: done.append("before the refusal"),
            wait_ms=1_000,
        )

    def test_is_committed_at_the_end_with_what_the_holder_adds(
        self, hold: Hold, done: list[str]
    ) -> None:
        with hold() as held:
            assert not held.has_begun
            with transaction.read_only():
                assert count_in_block() == 0
            with transaction.unit_of_work():
                record()
                transaction.when_committed(lambda: done.append("committed"))
            assert done == ["first of 0"]
            record()
        assert done == ["first of 0", "committed"]
        assert count_events() == 2

    def test_is_the_only_block_from_its_beginning_on(self, hold: Hold) -> None:
        for block in (transaction.read_only, transaction.unit_of_work):
            with pytest.raises(TransactionMisused):
                run(hold, partial(run, transaction.unit_of_work, record), partial(run, block))
        assert count_events() == 0

    def test_is_rolled_back_by_an_error_of_the_holder(self, hold: Hold, done: list[str]) -> None:
        with pytest.raises(Conflict):
            run(hold, partial(run, transaction.unit_of_work, record), partial(fail, Conflict))
        assert (count_events(), done) == (0, ["first of 0"])

    def test_keeps_what_an_error_keeps_when_the_holder_has_taken_back_its_own(
        self, hold: Hold, done: list[str]
    ) -> None:
        with pytest.raises(InvalidCode), hold():
            run(transaction.unit_of_work, record, partial(fail, InvalidCode))
        assert (count_events(), done) == (1, ["first of 0", "before the refusal"])

    def test_need_not_begin(self, hold: Hold, done: list[str]) -> None:
        with hold():
            pass
        with pytest.raises(InvalidCode), hold():
            raise InvalidCode
        run(transaction.unit_of_work, record)
        assert (count_events(), done) == (1, [])


class TestSlowWork:
    """A hash, or what may go over a network, within a transaction fails the test run."""

    @pytest.fixture(autouse=True)
    def _forgive(self) -> Iterator[None]:
        yield
        slow_work.found.clear()

    @for_each("block", BLOCKS)
    def test_a_hash_within_a_transaction_is_an_error(self, app: Flask, block: Block) -> None:
        with block(), pytest.raises(SlowWorkInTransaction):
            hashing.hash_password("correct horse battery", share_of(None, "ada"))
        assert slow_work.found.pop() == "HashingGate.run"

    @for_each("block", BLOCKS)
    def test_a_counter_within_a_transaction_is_an_error(self, app: Flask, block: Block) -> None:
        with block(), pytest.raises(SlowWorkInTransaction):
            Throttle("tests", 1, 60, "ada").take()

    @for_each("block", BLOCKS)
    def test_a_mail_within_a_transaction_is_an_error(self, app: Flask, block: Block) -> None:
        with block(), pytest.raises(SlowWorkInTransaction):
            SmtpServer("smtp://127.0.0.1:1").deliver(Mail("", "", b"", False), "a mail")

    @for_each("block", BLOCKS)
    def test_a_question_over_http_within_a_transaction_is_an_error(
        self, app: Flask, block: Block
    ) -> None:
        with block(), pytest.raises(SlowWorkInTransaction):
            QueryUpstream("http://127.0.0.1:1").ask("/", {}, {})

    def test_what_follows_the_commit_is_outside(self, app: Flask) -> None:
        with transaction.unit_of_work():
            transaction.when_committed(Throttle("tests", 1, 60, "ada").clear)

    def test_a_request_that_does_it_fails_its_test(
        self, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def hash_within(**_: object) -> None:
            with transaction.read_only():
                hashing.hash_password("correct horse battery", share_of(None, "ada"))

        monkeypatch.setattr(agents, "list_agents", hash_within)
        assert member.client.get("/api/agents").status_code == 500
        assert slow_work.found == ["HashingGate.run"]
