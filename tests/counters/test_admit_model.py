"""`admit` against a model in plain Python: any order of questions, seeds and clock steps."""

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragauth.counters import Admission, Charge, Counters, Peek
from tests.counters.questions import NOW

MONTHS = (202609, 202610)

steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("ask"),
            st.integers(0, 1),  # account
            st.integers(0, 1),  # key
            st.integers(0, 1),  # environment
            st.integers(0, 4),  # minute limit
            st.integers(0, 30),  # month limit
            st.integers(0, 12),  # cost
            st.integers(0, 1),  # month
            st.integers(20260930, 20261001),  # day
        ),
        st.tuples(
            st.just("seed"), st.integers(0, 1), st.integers(0, 1), st.integers(0, 1),
            st.integers(0, 20),
        ),
        st.tuples(st.just("clock"), st.sampled_from((-500, 1, 20_000, 59_999, 60_000, 200_000))),
        st.tuples(st.just("clock back"), st.just(-10_000_000)),
        st.tuples(st.just("save"), st.integers(0, 3)),
    ),
    min_size=5,
    max_size=60,
)  # fmt: skip

_fresh = itertools.count(1)


@dataclass
class Model:
    now_ms: int = NOW
    minutes: dict[tuple[bytes, int], tuple[int, int]] = field(default_factory=dict)
    months: dict[tuple[bytes, int, int], int] = field(default_factory=dict)
    usage: dict[tuple[bytes, bytes, int, int], tuple[int, int, int]] = field(default_factory=dict)
    changed: set[tuple[bytes, bytes, int, int]] = field(default_factory=set)

    def minute(self, account: bytes, environment: int) -> tuple[int, int]:
        ends, used = self.minutes.get((account, environment), (0, 0))
        if ends <= self.now_ms:
            return self.now_ms + 60_000, 0
        if ends - self.now_ms > 70_000:
            return self.now_ms + 60_000, used
        return ends, used

    def admit(self, charge: Charge) -> Admission | None:
        account, key, environment, minute_limit, month_limit, cost, month, day, _ = charge[:9]
        spent = self.months.get((account, environment, month))
        if spent is None:
            return None
        ends, used = self.minute(account, environment)
        if used:
            # What was shortened stays so, whatever the answer is.
            self.minutes[account, environment] = (ends, used)
        if spent + cost > month_limit:
            return Admission("month", used, ends, spent)
        if used + 1 > minute_limit:
            return Admission("minute", used, ends, spent)
        self.minutes[account, environment] = (ends, used + 1)
        self.months[account, environment, month] = spent + cost
        row = (account, key, environment, day)
        requests, units, last_ms = self.usage.get(row, (0, 0, 0))
        self.usage[row] = (requests + 1, units + cost, max(last_ms, self.now_ms))
        self.changed.add(row)
        return Admission(None, used + 1, ends, spent + cost)


# A Cluster runs the same scripts, as the tests of `admit` itself see.
@pytest.mark.parametrize("counters", ["lmdb", "redis"], indirect=True)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_any_sequence_of_questions_is_answered_as_the_model_does(
    counters: Counters, steps: list[tuple[str, int]]
) -> None:
    accounts = [b"a" + next(_fresh).to_bytes(15, "big") for _ in range(2)]
    keys = [b"k" * 16, b"K" * 16]
    model = Model()
    for environment, month in itertools.product((0, 1), MONTHS):
        counters.seed_month(accounts[0], environment, month, 0)
        model.months[accounts[0], environment, month] = 0
    for kind, *numbers in steps:
        if kind == "ask":
            who, which, environment, minute_limit, month_limit, cost, month, day = numbers
            charge = Charge(
                accounts[who],
                keys[which],
                environment,
                minute_limit,
                month_limit,
                cost,
                MONTHS[month],
                day,
                model.now_ms,
            )
            assert counters.admit(charge) == model.admit(charge)
        elif kind == "seed":
            who, environment, month, base = numbers
            counters.seed_month(accounts[who], environment, MONTHS[month], base)
            model.months.setdefault((accounts[who], environment, MONTHS[month]), base)
        elif kind == "save":
            rows = counters.changed_usage(numbers[0])
            assert len(rows) == min(numbers[0], len(model.changed))
            counters.usage_saved(rows)
            for row in rows:
                assert model.usage[row[:4]] == row[4:7]
                model.changed.remove(row[:4])
        else:
            model.now_ms += numbers[0]
    for (account, environment, month), spent in model.months.items():
        ends, used = model.minute(account, environment)
        peek = counters.peek(account, environment, month, model.now_ms)
        assert peek == Peek(used, ends, spent)
    rest = counters.changed_usage(100)
    assert {row[:4]: row[4:7] for row in rest} == {row: model.usage[row] for row in model.changed}
    counters.usage_saved(rest)
