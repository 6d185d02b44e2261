"""S47: no wait for Postgres is without an end, and a database that answers nobody is known."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.errors import QueryCanceled
from sqlalchemy import Engine, create_engine, literal, select, text
from sqlalchemy.exc import OperationalError

from ragauth.database import connection_parameters, engine_options, engine_url
from ragauth.database_faults import DatabaseFault, fault_of
from ragauth.deadlines import Deadline, WouldWait, at_most, current_deadline
from ragauth.errors import ExternalServiceUnavailable
from ragauth.metrics import FROZEN, board
from ragauth.models.reads import prepared
from ragauth.models.reads.prepared import PreparedReads
from ragauth.postgres import connection as connections
from ragauth.postgres import dialect as dialects
from ragauth.postgres import watch as watches
from ragauth.postgres.connection import Connection, NoAnswer
from tests.servers.distance import Way, way_to
from tests.servers.postgres import PostgresServer, start_postgres

# How long whatever waits here may take at most: the machine may be busy.
_AT_MOST_SECONDS = 5.0

pytestmark = [
    pytest.mark.skipif(
        "TEST_DATABASE_URL" in os.environ, reason="another's server is not ours to freeze"
    ),
    # Newer Pythons warn of a fork beside threads; the child takes no lock of the parent's.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server of this module's own, to be frozen."""
    with start_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> str:
    return postgres.url("postgres")


@pytest.fixture
def way(url: str) -> Iterator[Way]:
    port = urlsplit(url).port
    assert port is not None
    with way_to(port) as way:
        yield way


@pytest.fixture(autouse=True)
def _short_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SUSPECT_SECONDS", 0.05)
    monkeypatch.setattr(watches, "_FIRST_PROBE_SECONDS", 0.4)
    monkeypatch.setattr(watches, "_SILENT_SECONDS", 0.3)
    monkeypatch.setattr(watches, "_PROBE_SECONDS", 0.4)
    monkeypatch.setattr(watches, "_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(dialects, "_CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(dialects, "_PING_SECONDS", 0.3)


def _engine(url: str) -> Engine:
    return create_engine(engine_url(url), **engine_options(url))


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = _engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with Connection.connect(**connection_parameters(url)) as connection:
        yield connection


class _Stopwatch:
    """Fails where a block took longer than a bounded wait may."""

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_error: object) -> None:
        assert time.monotonic() - self._began < _AT_MOST_SECONDS


class TestAConnection:
    def test_ends_a_statement_at_the_deadline_and_is_not_used_again(
        self, postgres: PostgresServer, connection: Connection
    ) -> None:
        connection.execute("SELECT 1")
        with postgres.frozen(), _Stopwatch(), at_most(0.2), pytest.raises(NoAnswer):
            connection.execute("SELECT 2")
        assert connection.closed
        with pytest.raises(psycopg.OperationalError, match="closed"):
            connection.execute("SELECT 3")

    def test_ends_a_commit_too(self, postgres: PostgresServer, connection: Connection) -> None:
        """Whether it was done is not known: who asked for it is told that it failed."""
        connection.execute("SELECT 1")
        with postgres.frozen(), _Stopwatch(), at_most(0.2), pytest.raises(NoAnswer):
            connection.commit()

    def test_hands_over_what_the_polling_thread_must_not_wait_for(
        self, postgres: PostgresServer, connection: Connection
    ) -> None:
        token = current_deadline.set(Deadline(time.monotonic() + 0.04, hands_over=True))
        try:
            with postgres.frozen(), pytest.raises(WouldWait) as raised:
                connection.execute("SELECT 1")
        finally:
            current_deadline.reset(token)
        assert raised.value.has_waited
        assert connection.closed

    def test_is_not_awaited_longer_than_the_deadline_while_it_is_made(
        self, postgres: PostgresServer, url: str
    ) -> None:
        with postgres.frozen(), _Stopwatch(), at_most(0.3), pytest.raises(NoAnswer):
            Connection.connect(**connection_parameters(url))

    def test_has_time_left_for_the_next_host(self, way: Way, url: str) -> None:
        parts = urlsplit(url)
        hosts = f"127.0.0.1:{way.port},127.0.0.1:{parts.port}"
        url = f"postgresql://{parts.username}@{hosts}/postgres"
        with way.blocked(), at_most(_AT_MOST_SECONDS / 2):
            made = Connection.connect(**connection_parameters(url))
        assert made.info.port == parts.port
        made.close()

    def test_waits_for_a_slow_statement_of_a_server_that_answers(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "_SLICE_SECONDS", 0.01)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 7 FROM pg_sleep(1)")) == 7
            # Several of them in one go, which psycopg sends as a pipeline.
            connection.execute(text("SELECT pg_sleep(:s)"), [{"s": 0.3}, {"s": 0.3}])
        assert not engine.dialect.watch.is_frozen  # type: ignore[attr-defined]

    def test_ends_what_takes_longer_than_any_statement_may(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Connection, "longest_seconds", 0.3)
        with pytest.raises(OperationalError) as raised, engine.connect() as connection:
            connection.execute(text("SELECT pg_sleep(10)"))
        assert fault_of(raised.value) is DatabaseFault.UNREACHABLE

    def test_leaves_the_servers_own_time_outs_to_the_server(self, connection: Connection) -> None:
        connection.execute("SET statement_timeout = 200")
        with pytest.raises(QueryCanceled):
            connection.execute("SELECT pg_sleep(10)")
        assert not connection.closed


def _wait_until_it_answers(engine: Engine) -> None:
    deadline = time.monotonic() + _AT_MOST_SECONDS
    while engine.dialect.watch.is_frozen:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _frozen_workers() -> float:
    (sample,) = FROZEN.read(board.sums())
    return sample.value


class TestAFrozenDatabase:
    """S47"""

    def test_is_asked_by_one_thread_alone_until_it_answers(
        self, postgres: PostgresServer, engine: Engine, caplog: pytest.LogCaptureFixture
    ) -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        with postgres.frozen():
            with _Stopwatch(), pytest.raises(OperationalError) as raised:
                engine.connect()
            assert fault_of(raised.value) is DatabaseFault.FROZEN
            assert _frozen_workers() == 1
            used = time.thread_time()
            for _ in range(50):
                with pytest.raises(OperationalError):
                    engine.connect()
            assert time.thread_time() - used < 1
            names = [thread.name for thread in threading.enumerate()]
            assert names.count("database probe") == 1
        _wait_until_it_answers(engine)
        assert _frozen_workers() == 0
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        told = [line.message for line in caplog.records if line.levelno >= logging.WARNING]
        assert len([line for line in told if line == DatabaseFault.FROZEN.sentence]) == 1
        assert len([line for line in told if "answers again" in line]) == 1

    def test_ends_every_transaction_that_waits(
        self, postgres: PostgresServer, engine: Engine
    ) -> None:
        failed = []

        def commit() -> None:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                is_open.wait()
                is_frozen.wait(_AT_MOST_SECONDS)
                try:
                    connection.commit()
                except OperationalError as error:
                    failed.append(fault_of(error))

        is_open, is_frozen = threading.Barrier(4), threading.Event()
        threads = [threading.Thread(target=commit) for _ in range(3)]
        for thread in threads:
            thread.start()
        is_open.wait(_AT_MOST_SECONDS)
        with postgres.frozen():
            is_frozen.set()
            for thread in threads:
                thread.join(_AT_MOST_SECONDS)
            assert failed == [DatabaseFault.FROZEN] * 3
        _wait_until_it_answers(engine)

    def test_is_not_frozen_to_the_child_of_a_fork(
        self, postgres: PostgresServer, engine: Engine
    ) -> None:
        """A worker that is made meanwhile has no thread that would tell it of the end."""
        with postgres.frozen():
            with pytest.raises(OperationalError):
                engine.connect()
            pid = os.fork()
            if pid == 0:
                os._exit(engine.dialect.watch.is_frozen)  # type: ignore[attr-defined]
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    def test_that_is_gone_in_the_end_is_not_frozen(self, url: str) -> None:
        """Its refusal of a connection is an answer, if not the wanted one."""
        port = urlsplit(url).port
        assert port is not None
        with way_to(port) as way:
            engine = _engine(url.replace(f":{port}/", f":{way.port}/"))
            with way.blocked(), pytest.raises(OperationalError) as raised:
                engine.connect()
            assert fault_of(raised.value) is DatabaseFault.FROZEN
        _wait_until_it_answers(engine)
        with pytest.raises(OperationalError) as raised:
            engine.connect()
        assert fault_of(raised.value) is DatabaseFault.UNREACHABLE
        engine.dispose()


class TestOneWayThatIsLost:
    """S47: a firewall forgets connections that were idle: no packet of theirs arrives any more."""

    @pytest.fixture
    def lost_url(self, way: Way, url: str) -> str:
        return url.replace(f":{urlsplit(url).port}/", f":{way.port}/")

    def test_costs_a_pooled_connection_and_no_request(self, way: Way, lost_url: str) -> None:
        engine = _engine(lost_url)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        with way.blocked(for_new=False), _Stopwatch(), engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        engine.dispose()

    def test_costs_a_prepared_read_a_second_try(self, way: Way, lost_url: str) -> None:
        engine = _engine(lost_url)
        reads = PreparedReads(engine, lost_url)
        sql = reads.compile(select(literal(1)))
        parameters = {"param_1": 1}
        assert reads.read(sql, parameters) == [(1,)]
        with way.blocked(for_new=False), _Stopwatch():
            assert reads.read(sql, parameters) == [(1,)]
        assert not engine.dialect.watch.is_frozen  # type: ignore[attr-defined]
        reads.close()
        engine.dispose()


def _waits_for_a_lock(url: str) -> bool:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall()
    return bool(found)


class TestPreparedReads:
    @pytest.fixture
    def reads(self, engine: Engine, url: str) -> Iterator[PreparedReads]:
        reads = PreparedReads(engine, url)
        yield reads
        reads.close()

    def test_a_table_that_another_locks_holds_up_one_thread_at_a_time(
        self, reads: PreparedReads, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The database answers others, so it is not frozen."""
        monkeypatch.setattr(prepared, "CHECK_SECONDS", 0.5)
        sql = "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata"
        assert reads.read(sql, {}) == [(0,)]
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE pg_catalog.pg_largeobject_metadata")
            with pytest.raises(ExternalServiceUnavailable):
                reads.read(sql, {})
            monkeypatch.setattr(prepared, "CHECK_SECONDS", 30.0)
            with ThreadPoolExecutor(1) as threads:
                trying = threads.submit(reads.read, sql, {})
                while not _waits_for_a_lock(url):
                    assert not trying.done()
                with _Stopwatch(), pytest.raises(ExternalServiceUnavailable):
                    reads.read(sql, {})
                other.rollback()
                assert trying.result() == [(0,)]
        assert reads.read(sql, {}) == [(0,)]

    def _poll(self, reads: PreparedReads) -> object:
        token = current_deadline.set(Deadline(time.monotonic() + 0.04, hands_over=True))
        try:
            return reads.read("SELECT 1", {})
        finally:
            current_deadline.reset(token)

    def test_the_polling_thread_uses_connections_of_others_and_makes_none(
        self, reads: PreparedReads
    ) -> None:
        with pytest.raises(WouldWait) as raised:
            self._poll(reads)
        assert not raised.value.has_waited
        made = threading.Thread(target=reads.read, args=("SELECT 1", {}))
        made.start()
        made.join()
        # A busy machine may need more than the time that the thread has.
        for _ in range(20):
            try:
                assert self._poll(reads) == [(1,)]
                return
            except WouldWait:
                reads.read("SELECT 1", {})
        pytest.fail("the polling thread never had an answer")

    def test_of_a_frozen_database_are_refused_at_once_in_every_thread(
        self, postgres: PostgresServer, reads: PreparedReads, engine: Engine
    ) -> None:
        reads.read("SELECT 1", {})
        with postgres.frozen():
            with _Stopwatch(), pytest.raises(ExternalServiceUnavailable):
                reads.read("SELECT 1", {})
            assert engine.dialect.watch.is_frozen  # type: ignore[attr-defined]
            with pytest.raises(ExternalServiceUnavailable):
                self._poll(reads)
        _wait_until_it_answers(engine)
        assert reads.read("SELECT 1", {}) == [(1,)]

    def test_need_no_more_connections_than_ask_at_once(
        self, reads: PreparedReads, connection: Connection
    ) -> None:
        threads = [threading.Thread(target=reads.read, args=("SELECT 1", {})) for _ in range(8)]
        for thread in threads:
            thread.start()
            thread.join()
        assert len(reads._spare) == 1
