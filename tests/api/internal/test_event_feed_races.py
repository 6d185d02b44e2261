"""The feed of events while others write: a reader that follows the cursor sees each event once."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from ragauth import clock, transaction
from ragauth.extensions import db
from ragauth.models import Event
from ragauth.models import events as event_rows
from ragauth.services import audit
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.operators import event_feed
from ragauth.services.operators.event_feed import read_feed
from tests.clients import Client

ON_BOTH = pytest.mark.both_databases
# SQLite has one writer at a time: nobody commits while another holds its event.
ON_POSTGRES = pytest.mark.parametrize("database", ["postgres"], indirect=True)
WRITERS, EACH = 4, 20
READERS = 3


class Writer:
    """Writes events; those of one transaction have ascending numbers."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def record(self, name: str) -> None:
        audit.record(EventName.ACCOUNT_CHANGED, account_id=None, client=OPERATOR, number=name)

    def write(self, name: str, before_commit: Callable[[], object] = bool) -> None:
        with self.app.app_context(), transaction.unit_of_work():
            self.record(name)
            before_commit()


class Reader:
    """Follows the feed; `seen` has the numbers of its events in the order that they were told."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.cursor: int | None = None
        self.seen: list[str] = []

    def read(self, limit: int = 10) -> int:
        with self.app.app_context():
            page = read_feed(after=self.cursor, name=None, limit=limit)
        assert isinstance(page.next_cursor, int)
        assert page.next_cursor >= (self.cursor or 0)
        self.cursor = page.next_cursor
        self.seen += [event.details["number"] for event in page.items]
        return len(page.items)

    def read_all(self) -> list[str]:
        while self.read():
            pass
        return self.seen


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feed, "_BATCH", 3)


@ON_POSTGRES
def test_an_event_that_is_committed_late_is_told_after_those_that_were_told(app: Flask) -> None:
    """Its id is older than theirs: a cursor of ids would have passed it by."""
    writer, reader = Writer(app), Reader(app)
    has_written, may_commit = threading.Event(), threading.Event()

    def hold() -> None:
        has_written.set()
        assert may_commit.wait(20)

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(writer.write, "late", hold)
        assert has_written.wait(20)
        for name in ("a", "b"):
            writer.write(name)
        assert reader.read_all() == ["a", "b"]
        may_commit.set()
        late.result()
    writer.write("c")
    assert reader.read_all() == ["a", "b", "late", "c"]


def ids_in_order(app: Flask) -> list[object]:
    with app.app_context(), db.engine.connect() as connection:
        return list(connection.scalars(select(Event.id).order_by(Event.id)))


@pytest.mark.every_database
@pytest.mark.usefixtures("small_batches")
def test_every_reader_sees_each_event_once_while_writers_write(app: Flask) -> None:
    """Several readers at once, which all give places; transactions of every length."""
    writer = Writer(app)
    pauses = random.Random(1)
    barrier = threading.Barrier(WRITERS + READERS, timeout=20)
    have_written = threading.Event()

    def write(number: int) -> list[str]:
        barrier.wait()
        names = [f"{number}.{event}" for event in range(EACH)]
        for name in names:
            threading.Event().wait(pauses.random() / 500)
            # On Postgres others commit meanwhile.
            writer.write(name, lambda: threading.Event().wait(pauses.random() / 200))
        return names

    def follow(_number: int) -> list[str]:
        reader = Reader(app)
        barrier.wait()
        while not have_written.wait(0.001):
            reader.read(limit=7)
        return reader.read_all()

    with ThreadPoolExecutor(WRITERS + READERS) as pool:
        following = [pool.submit(follow, number) for number in range(READERS)]
        written = [name for names in pool.map(write, range(WRITERS)) for name in names]
        have_written.set()
        told = [future.result() for future in following]
    assert sorted(told[0]) == sorted(written)
    # One order for all, and that of each writer.
    assert told == [told[0]] * READERS
    for number in range(WRITERS):
        own = [name for name in told[0] if name.startswith(f"{number}.")]
        assert own == [f"{number}.{event}" for event in range(EACH)]


@ON_BOTH
@pytest.mark.usefixtures("small_batches")
def test_a_clock_that_is_set_back_hides_nothing(app: Flask) -> None:
    writer, reader = Writer(app), Reader(app)
    writer.write("a")
    assert reader.read_all() == ["a"]
    for days, name in ((30, "b"), (60, "c"), (-60, "d"), (0, "e")):
        with time_machine.travel(clock.now() - timedelta(days=days), tick=False):
            writer.write(name)
            reader.read()
    assert reader.read_all() == ["a", "b", "c", "d", "e"]


@ON_BOTH
def test_what_another_reader_gives_places_meanwhile_is_told_at_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the two questions of a look comes first, the other reader is between them."""
    writer, reader, other = Writer(app), Reader(app), Reader(app)
    writer.write("a")

    def let_the_other_read() -> None:
        monkeypatch.undo()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(other.read_all).result() == ["a"]

    for question in ("has_unplaced", "list_placed"):
        monkeypatch.setattr(
            event_rows, question, _then(getattr(event_rows, question), let_the_other_read)
        )
    assert reader.read() == 1
    assert reader.seen == other.seen == ["a"]


def _then(ask: Callable[..., object], further: Callable[[], None]) -> Callable[..., object]:
    def ask_first(*arguments: object, **options: object) -> object:
        answer = ask(*arguments, **options)
        further()
        return answer

    return ask_first


@ON_POSTGRES
def test_an_event_that_is_being_changed_holds_nobody_up(app: Flask) -> None:
    """An erasure that has not ended: its events are told afterwards."""
    writer, reader = Writer(app), Reader(app)
    writer.write("erased")
    writer.write("other")
    with app.app_context(), db.engine.begin() as connection:
        first = ids_in_order(app)[0]
        rows = Event.__table__
        connection.execute(update(rows).where(rows.c.id == first).values(ip=None))
        assert reader.read_all() == ["other"]
    assert reader.read_all() == ["other", "erased"]


@ON_BOTH
def test_who_never_asks_gives_no_places(app: Flask, client: Client) -> None:
    client.sign_up()
    Writer(app).write("a")
    with app.app_context(), db.engine.connect() as connection:
        assert set(connection.scalars(select(Event.place))) == {None}
