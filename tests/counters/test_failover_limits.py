"""Tallies, reservations and reports while Redis goes and comes back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragauth.counters import (
    Counters,
    CountersUnavailable,
    LmdbCounters,
    MeterRow,
    Report,
    Reported,
    Reserve,
    Settled,
    Shift,
    Shifted,
    Use,
)
from ragauth.counters.failover import FailoverCounters
from ragauth.counters.redis_store import RedisCounters
from ragauth.security.identifiers import new_uuid
from tests.counters.failover_support import Clock
from tests.counters.limits_model import Rows, merged, rows_of, used_in
from tests.counters.questions import (
    ACCOUNT,
    DAY,
    KEY,
    MONTH,
    NOW,
    ask,
    in_period,
    in_window,
    installation,
    open_redis,
    seed_tallies,
)
from tests.servers.redis import RedisServer

SIZE = 20


class Host:
    """A host, and the database that all hosts share: counters over one Redis and a file."""

    def __init__(
        self, server: RedisServer, file: Path, clock: Clock, database: Rows, account: bytes
    ) -> None:
        self.database, self.account = database, account
        self.store = FailoverCounters(
            open_redis(server.url),
            LmdbCounters(file),
            clock,
            save=self.save,
            beside=lambda work: work(),
        )
        self.total = in_period(period=0, size=SIZE)
        self.window = in_window(size=SIZE, length_ms=3_600_000)

    def lose_redis(self) -> None:
        self.store._leave_primary(CountersUnavailable("a cable was pulled"))

    def save(self, store: Counters) -> None:
        rows = [row for row in store.changed_usage(1_000) if row.account == self.account]
        self.database.update(merged(self.database, rows_of(rows)))
        store.usage_saved(rows)

    def seed(self) -> None:
        known = merged(self.database, rows_of(self.store.usage_to_seed(self.account)))
        month = in_period(period=MONTH, owner=self.account, meter=b"requests")
        self.store.seed_month(self.account, 0, MONTH, used_in(known, month, self.account))
        base = used_in(known, self.total, self.account)
        self.store.seed_tally(self.account, 0, self.total, base, NOW)

    def use(self, amount: int, reserve: Reserve | None = None) -> Any:
        tallies = tuple(each._replace(amount=amount) for each in (self.total, self.window))
        question: dict[str, Any] = {
            "account": self.account,
            "minute_limit": 10**9,
            "month_limit": 10**9,
            "tallies": tallies,
            "uses": (Use(b"tokens", amount),),
            "reserve": reserve,
        }
        answer = ask(self.store, **question)
        if answer is None:
            self.seed()
            answer = ask(self.store, **question)
        assert answer is not None
        return answer

    def reserve(self, amount: int, token: bytes) -> Any:
        reserve = Reserve(token, NOW + 900_000, (Use(b"tokens", amount),))
        return self.use(amount, reserve)

    def settle(self, reserved: Any, amount: int) -> Settled:
        uses = (Use(b"tokens", amount),)
        return self.store.settle(self.account, reserved.token, uses, NOW + 1, reserved.store)

    def report(self, event: bytes, amount: int) -> Reported:
        tallies = tuple(each._replace(amount=amount) for each in (self.total, self.window))
        uses = (Use(b"tokens", amount),)
        report = Report(self.account, KEY, 0, DAY, event, uses, tallies, NOW, NOW)
        answer = self.store.report(report)
        if answer is None:
            self.seed()
            answer = self.store.report(report)
        assert answer is not None
        return answer

    @property
    def used(self) -> int:
        return used_in(self.database, self.total, self.account)


@pytest.fixture
def host(server: RedisServer, lmdb_path: Path, clock: Clock) -> Iterator[Host]:
    host = Host(server, lmdb_path, clock, {}, ACCOUNT)
    yield host
    host.store.close()


def test_a_total_goes_on_in_the_file_and_again_in_redis(host: Host, clock: Clock) -> None:
    assert host.use(7).counts[0].used == 7
    host.save(host.store)
    host.lose_redis()
    assert host.use(8).counts[0].used == 15
    clock.seconds += 1
    assert host.use(5).counts[0].used == 20
    assert host.use(1).refused_by == "tally"
    host.save(host.store)
    assert host.used == 20


def test_a_window_of_redis_goes_on_after_the_outage(host: Host, clock: Clock) -> None:
    assert host.use(7).counts[1].used == 7
    host.lose_redis()
    assert host.use(8).counts[1].used == 8
    clock.seconds += 1
    assert host.use(4).counts[1].used == 11


def test_a_second_outage_does_not_trust_the_totals_of_the_first(host: Host, clock: Clock) -> None:
    host.lose_redis()
    host.use(1)
    clock.seconds += 60
    host.use(9)
    host.save(host.store)
    host.lose_redis()
    assert host.use(2).counts[0].used == 12


class TestReservations:
    def test_one_of_redis_waits_for_redis(
        self, host: Host, server: RedisServer, clock: Clock
    ) -> None:
        reserved = host.reserve(9, b"t" * 16)
        host.lose_redis()
        with pytest.raises(CountersUnavailable):
            host.settle(reserved, 4)
        clock.seconds += 1
        assert host.settle(reserved, 4).released == (Use(b"tokens", 5),)
        assert host.use(0).counts[0].used == 4
        host.save(host.store)
        assert host.used == 4

    def test_that_redis_is_away_is_noticed_by_settling(
        self, host: Host, server: RedisServer
    ) -> None:
        reserved = host.reserve(9, b"t" * 16)
        server.stop()
        for _ in range(2):
            with pytest.raises(CountersUnavailable):
                host.settle(reserved, 4)
        assert not host.store._primary_answers

    def test_one_of_a_redis_that_was_started_again_is_unknown(
        self, host: Host, server: RedisServer, clock: Clock
    ) -> None:
        reserved = host.reserve(9, b"t" * 16)
        server.stop()
        host.use(1)
        server.start()
        clock.seconds += 1
        assert host.settle(reserved, 4) == Settled("unknown")

    def test_one_of_the_file_is_settled_there_also_when_redis_is_back(
        self, host: Host, clock: Clock
    ) -> None:
        host.lose_redis()
        reserved = host.reserve(9, b"t" * 16)
        clock.seconds += 1
        assert host.use(1).counts[0].used == 10
        assert host.settle(reserved, 4).released == (Use(b"tokens", 5),)
        # The limit in Redis keeps what was reserved; usage does not.
        assert host.use(1).counts[0].used == 11
        host.save(host.store)
        assert host.used == 6

    def test_one_of_another_hosts_file_is_unknown(
        self, host: Host, server: RedisServer, tmp_path: Path, clock: Clock
    ) -> None:
        other = Host(server, tmp_path / "another.mdb", clock, host.database, ACCOUNT)
        other.lose_redis()
        reserved = other.reserve(9, b"t" * 16)
        assert host.settle(reserved, 4) == Settled("unknown")
        other.store.close()


class TestReports:
    def test_one_that_the_file_counted_is_known_when_redis_is_back(
        self, host: Host, clock: Clock
    ) -> None:
        host.lose_redis()
        assert host.report(b"e1", 3).counts[0].used == 3
        assert host.report(b"e1", 3).was_known
        clock.seconds += 1
        assert host.report(b"e1", 3).was_known
        assert host.use(0).counts[0].used == 3

    def test_one_that_redis_counted_is_known_after_the_outage(
        self, host: Host, clock: Clock
    ) -> None:
        assert host.report(b"e1", 3).counts[0].used == 3
        host.lose_redis()
        clock.seconds += 1
        assert host.report(b"e1", 3).was_known


def test_what_a_process_that_is_late_asks_for_it_asks_in_redis(
    host: Host, server: RedisServer, lmdb_path: Path, clock: Clock
) -> None:
    """A total that it counted in the file is begun in Redis by another process of the host."""
    late = FailoverCounters(
        RedisCounters(server.url, installation), LmdbCounters(lmdb_path), Clock(), beside=print
    )
    host.lose_redis()
    host.use(5)
    host.store._fallback.close()
    late._leave_primary(CountersUnavailable("a cable was pulled"))
    late.close()
    clock.seconds += 1
    assert host.use(5).counts[0].used == 10
    host.store._fallback.close()
    answer = late.report(
        Report(ACCOUNT, KEY, 0, DAY, b"e", (), (host.total._replace(amount=3),), NOW, NOW)
    )
    assert answer is not None
    assert answer.counts[0].used == 13
    late.close()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(0, 1), st.integers(0, 9)),
        st.tuples(st.just("reserve"), st.integers(0, 1), st.integers(0, 9)),
        st.tuples(st.just("settle"), st.integers(0, 1), st.integers(0, 9)),
        st.tuples(st.just("report"), st.integers(0, 1), st.integers(0, 2)),
        st.tuples(st.just("lose redis"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.just(0)),
        st.tuples(st.just("save"), st.integers(0, 1), st.just(0)),
    ),
    min_size=5,
    max_size=40,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_over_outages_usage_is_exact_and_each_host_lets_through_at_most_once_more(
    server: RedisServer, tmp_path: Path, clock: Clock, steps: list[tuple[str, int, int]]
) -> None:
    """S49: of what is only used, two hosts and Redis let through at most three times the size."""
    account, database = new_uuid().bytes, Rows()
    hosts = [Host(server, tmp_path / f"{n}.mdb", clock, database, account) for n in range(2)]
    used = let_through = 0
    open_ones: list[tuple[Host, Any, int]] = []
    for kind, which, number in steps:
        host = hosts[which]
        if kind == "use" and host.use(number).refused_by is None:
            used += number
            let_through += number
        elif kind == "reserve":
            reserved = host.reserve(number, new_uuid().bytes)
            if reserved.refused_by is None:
                used += number
                open_ones.append((host, reserved, number))
        elif kind == "settle" and open_ones:
            maker, reserved, amount = open_ones.pop()
            try:
                settled = maker.settle(reserved, min(number, amount))
            except CountersUnavailable:
                continue
            assert settled.outcome == "settled"
            used -= amount - min(number, amount)
        elif kind == "report":
            # Each host may know the event, or learn of it again.
            if not host.report(b"event %d" % number, 1).was_known:
                used += 1
        elif kind == "lose redis":
            host.lose_redis()
        elif kind == "wait":
            clock.seconds += 1
            for each in hosts:
                each.store._is_primary_there()
        elif kind == "save":
            host.save(host.store)
    clock.seconds += 1
    for host in hosts:
        host.store._is_primary_there()
        host.save(host.store)
        host.store.close()
    assert hosts[0].used == used
    assert let_through <= SIZE * 3


def test_rows_of_meters_are_saved_from_both_stores(host: Host, clock: Clock) -> None:
    host.use(3)
    host.lose_redis()
    host.use(4)
    clock.seconds += 1
    rows = [row for row in host.store.changed_usage(10) if isinstance(row, MeterRow)]
    rows += [row for row in host.store.changed_usage(10) if isinstance(row, MeterRow)]
    host.store.usage_saved(rows)
    assert host.store.changed_usage(10) == []


def test_a_count_is_changed_without_redis_too(store: FailoverCounters, server: RedisServer) -> None:
    total = in_period(0, period=0)
    shift = Shift(1, 0, 100)
    for base, change in ((3, Shifted(3, 4)), (4, Shifted(4, 5))):
        assert store.shift_tally(ACCOUNT, 0, total, shift, NOW) is None
        seed_tallies(store, total, base=base)
        assert store.shift_tally(ACCOUNT, 0, total, shift, NOW) == change
        server.stop()
