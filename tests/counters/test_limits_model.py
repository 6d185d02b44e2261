"""Any order of checks, settles, reports, saves, losses and clock steps, against the model."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragauth.counters import Charge, Counters, LmdbCounters, Report, Reserve, Tally, Use
from ragauth.counters.redis_store import RedisCounters
from tests.counters.limits_model import (
    DAY_MS,
    HOUR_MS,
    Model,
    Rows,
    day_of,
    merged,
    rows_of,
    used_in,
)

# Two hours before a month ends.
BEGIN = 1_790_805_600_000
KEYS = (b"k" * 16, b"K" * 16)
METERS = (b"tokens", b"pages")
_fresh = itertools.count(1)

amounts = st.integers(0, 9)
sizes = st.sampled_from((0, 5, 20, 1_000, 1_000, 1_000))
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("ask"), st.integers(0, 1), st.integers(0, 3), amounts, amounts, sizes, sizes
        ),
        st.tuples(st.just("reserve"), st.integers(0, 1), amounts, amounts, sizes),
        st.tuples(
            st.just("settle"), st.integers(0, 5), amounts, st.sampled_from((0, 0, 0, 0, 1))
        ),
        st.tuples(
            st.just("slow work"),
            st.integers(0, 1),
            amounts,
            st.sampled_from((1, 5_000, 10_000, HOUR_MS, -HOUR_MS, DAY_MS)),
            amounts,
        ),
        st.tuples(
            st.just("report"),
            st.integers(0, 1),
            st.integers(0, 5),
            amounts,
            st.sampled_from((0, 0, 5_000, 3 * HOUR_MS, 47 * HOUR_MS)),
        ),
        st.tuples(
            st.just("clock"),
            st.sampled_from((1, 4_000, 10_000, 61_000, HOUR_MS, 3 * HOUR_MS, DAY_MS, 2 * DAY_MS)),
        ),
        st.tuples(st.just("clock"), st.sampled_from((-1, -500, -HOUR_MS, -DAY_MS))),
        st.tuples(st.just("new limit")),
        st.tuples(st.just("read"), st.integers(0, 5)),
        st.tuples(st.just("saved")),
        st.tuples(st.just("begin anew")),
        st.tuples(st.just("lose")),
    ),
    min_size=20,
    max_size=60,
)  # fmt: skip


class Caller:
    """A service and its database, with one account of two keys; the model beside them."""

    def __init__(self, store: Counters, lose: Callable[[], object]) -> None:
        self.store = store
        self._lose = lose
        self.account = b"a" + next(_fresh).to_bytes(15, "big")
        self.model = Model(self.account, store.source_id)
        self.now_ms = BEGIN
        self.database: Rows = {}
        self.read: list[Any] = []
        self.tokens: list[bytes] = []
        self.has_new_limit = False

    def tallies(self, key: bytes, amounts: dict[bytes, int], size: int, at_ms: int) -> list[Tally]:
        day = day_of(at_ms)
        tallies = [
            Tally(owner, b"%s/%d" % (meter, period), meter, 0, period, size, amounts[meter])
            for meter, owner, period in (
                (b"tokens", self.account, day),
                (b"tokens", key, 0),
                (b"tokens", key, day // 100),
                (b"pages", self.account, day // 100),
                *([(b"pages", key, 0)] if self.has_new_limit else []),
            )
        ]
        # The name is the kind of window, whichever day it is.
        kinds = {8: b"day", 6: b"month", 1: b"total"}
        tallies = [
            each._replace(name=each.meter + b"/" + kinds[len(str(each.period))]) for each in tallies
        ]
        return tallies + [
            Tally(owner, b"%s/%d" % (meter, length), meter, length, 0, size, amounts[meter])
            for meter, owner, length in (
                (b"tokens", self.account, 10_000),
                (b"tokens", key, 2 * HOUR_MS),
                (b"pages", key, 5_000),
            )
        ]

    def ask(self, *numbers: int) -> None:
        which, cost, tokens, pages, minute_limit, size = numbers
        self._charge(which, cost, {b"tokens": tokens, b"pages": pages}, minute_limit, size, None)

    def reserve(self, which: int, tokens: int, used: int, size: int) -> None:
        token = next(_fresh).to_bytes(16, "big")
        self.tokens.append(token)
        uses = (Use(b"tokens", tokens),)
        reserve = Reserve(token, self.now_ms + 2 * HOUR_MS, uses)
        self._charge(which, 1, {b"tokens": tokens + used, b"pages": 0}, 1_000, size, reserve)

    def _charge(
        self,
        which: int,
        cost: int,
        amounts: dict[bytes, int],
        minute_limit: int,
        size: int,
        reserve: Reserve | None,
    ) -> None:
        key, day = KEYS[which], day_of(self.now_ms)
        charge = Charge(
            self.account, key, 0, minute_limit, 200, cost, day // 100, day, self.now_ms,
            tuple(self.tallies(key, amounts, size, self.now_ms)),
            tuple(Use(*each) for each in amounts.items()), reserve,
        )  # fmt: skip
        answer = self._asked(lambda: self.store.admit(charge), charge.tallies)
        if answer.store:
            self.name = answer.store
        assert answer._replace(store="") == self.model.admit(charge)

    def _asked(self, ask: Callable[[], Any], tallies: tuple[Tally, ...]) -> Any:
        answer = ask()
        if answer is not None:
            return answer
        unsaved = rows_of(self.store.usage_to_seed(self.account))
        known = merged(self.database, unsaved)
        day = day_of(self.now_ms)
        month = Tally(self.account, b"", b"requests", 0, day // 100, 0, 0)
        self.store.seed_month(self.account, 0, day // 100, used_in(known, month, self.account))
        for tally in tallies:
            if not tally.length_ms:
                base = used_in(known, tally, self.account)
                self.store.seed_tally(self.account, 0, tally, base, self.now_ms)
        answer = ask()
        assert answer is not None
        return answer

    def settle(self, which: int, tokens: int, pages: int) -> None:
        if not self.tokens:
            return
        token = self.tokens[which % len(self.tokens)]
        uses = (
            (Use(b"tokens", tokens), Use(b"pages", pages)) if pages else (Use(b"tokens", tokens),)
        )
        name = getattr(self, "name", "r")
        answer = self.store.settle(self.account, token, uses, self.now_ms, name)
        assert answer == self.model.settle(token, uses, self.now_ms)

    def slow_work(self, which: int, tokens: int, by_ms: int, used: int) -> None:
        """Others use the same windows, or those that follow, before it is settled."""
        self.reserve(which, tokens, 0, 1_000)
        self.clock(by_ms)
        self.ask(which, 1, 3, 0, 1_000, 1_000)
        self.settle(len(self.tokens) - 1, used, 0)

    def report(self, which: int, event: int, tokens: int, ago_ms: int) -> None:
        key, at_ms = KEYS[which], self.now_ms - ago_ms
        amounts = {b"tokens": tokens, b"pages": 1}
        report = Report(
            self.account, key, 0, day_of(at_ms), b"event %d" % event,
            tuple(Use(*each) for each in amounts.items()),
            tuple(self.tallies(key, amounts, 0, at_ms)), self.now_ms, at_ms,
        )  # fmt: skip
        answer = self._asked(lambda: self.store.report(report), report.tallies)
        assert answer == self.model.report(report)

    def clock(self, by_ms: int) -> None:
        self.now_ms += by_ms

    def new_limit(self) -> None:
        self.has_new_limit = True

    def read_changed(self, limit: int) -> None:
        """Save some rows; the store learns of it later, when they may have changed again."""
        rows = [row for row in self.store.changed_usage(limit) if row.account == self.account]
        self.database = merged(self.database, rows_of(rows))
        self.read += rows

    def saved(self) -> None:
        self.store.usage_saved(self.read)
        self.read = []

    def save_all(self) -> None:
        rows = self.store.changed_usage_of(self.account)
        self.database = merged(self.database, rows_of(rows))
        self.store.usage_saved(rows)

    def begin_anew(self) -> None:
        """As at the end, or the beginning, of an outage: periods are not known any more."""
        if isinstance(self.store, LmdbCounters):
            self.store.begin_turn(next(_fresh) * 100_000)
        else:
            assert isinstance(self.store, RedisCounters)
            self.store.resume(f"outage {next(_fresh)}")
            self.model.source = self.store.source_id

    def lose(self) -> None:
        self._lose()
        self.model.lose(self.database, self.store.source_id)
        self.has_new_limit = False
        self.read = []


@pytest.fixture(params=["lmdb", "redis"])
def store_and_loss(
    request: pytest.FixtureRequest,
) -> tuple[Counters, Callable[[], object]]:
    store: Counters = request.getfixturevalue(f"{request.param}_counters")
    if isinstance(store, LmdbCounters):
        path = request.getfixturevalue("lmdb_path")

        def lose() -> None:
            store.close()
            path.unlink()

        return store, lose
    return store, request.getfixturevalue("redis_client").flushall


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_nothing_is_lost_or_doubled_and_no_more_gets_through_than_fits(
    store_and_loss: tuple[Counters, Callable[[], object]], steps: list[tuple[Any, ...]]
) -> None:
    """S49"""
    caller = Caller(*store_and_loss)
    for kind, *numbers in steps:
        method = {"read": "read_changed"}.get(kind, kind.replace(" ", "_"))
        getattr(caller, method)(*numbers)
    caller.save_all()
    assert caller.store.changed_usage_of(caller.account) == []
    assert caller.database == caller.model.rows
