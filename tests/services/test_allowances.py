"""Allowances: credits in all, or a refill of a day or a month whose rest can be set."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask

from ragauth.errors import InvalidRequest
from ragauth.models.owned_keys import OwnedKey
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import allowances, api_keys, owned_keys, rotation
from ragauth.services.keys.allowances import Allowance, Refill
from ragauth.services.keys.key_scopes import add_scopes, remove_scopes
from ragauth.services.keys.own_counts import counted_of
from ragauth.services.limits.account_limits import get_limits
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.usage import bring_up_to_date
from tests.cases import for_each
from tests.services.vendors import check, is_allowed, make_customer, make_key

pytestmark = pytest.mark.usefixtures("in_context")

# More than any allowance here.
MORE = 13
DAILY, MONTHLY = Refill("day", 5), Refill("month", 9)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime(2027, 2, 28, 12, tzinfo=UTC), tick=False) as traveller:
        yield traveller


class Held:
    """A customer's key with an allowance."""

    def __init__(self, allowance: Allowance | None) -> None:
        self.account_id = make_customer(str(uuid.uuid4())).id
        limits = allowances.limits_of(allowance) or None
        key, self.raw = make_key(self.account_id, limits=limits)
        self.id = key.id
        allowances.begin(counted_of(key), allowance)

    @property
    def owned(self) -> OwnedKey:
        return owned_keys.get_key(key_id=self.id)

    @property
    def now(self) -> Allowance | None:
        return allowances.allowance_of(self.owned)

    def set(self, allowance: Allowance | None) -> None:
        allowances.set_allowance(owned=self.owned, allowance=allowance, client=OPERATOR)

    def use_up(self) -> int:
        """How many more get through."""
        return sum(is_allowed(self.raw) for _ in range(MORE))


class TestARefill:
    def test_begins_with_what_is_left_and_then_comes_whole(
        self, clock: time_machine.Traveller
    ) -> None:
        key = Held(Allowance(2, DAILY))
        assert key.now == Allowance(2, DAILY)
        assert key.use_up() == 2
        clock.move_to(datetime(2027, 3, 1, tzinfo=UTC))
        assert key.now == Allowance(5, DAILY)
        assert key.use_up() == 5

    def test_of_a_month_comes_with_the_month(self, clock: time_machine.Traveller) -> None:
        key = Held(Allowance(0, MONTHLY))
        assert key.use_up() == 0
        clock.move_to(datetime(2027, 3, 1, tzinfo=UTC))
        assert key.use_up() == 9

    def test_may_leave_more_than_its_amount_until_the_next_one(
        self, clock: time_machine.Traveller
    ) -> None:
        key = Held(Allowance(12, DAILY))
        assert key.now == Allowance(12, DAILY)
        assert is_allowed(key.raw, cost=11)
        assert not is_allowed(key.raw, cost=2)
        quotas = get_limits(account_id=key.account_id, key_id=key.id).quotas
        told = [(one.size, one.used, one.remaining) for one in quotas if one.of == "key"]
        assert told == [(5, 4, 1)]
        clock.move_to(datetime(2027, 3, 1, tzinfo=UTC))
        assert key.now == Allowance(5, DAILY)
        assert key.use_up() == 5

    def test_is_set_raised_and_lowered(self) -> None:
        key = Held(Allowance(5, DAILY))
        check(key.raw, cost=3)
        key.set(Allowance(4, DAILY))
        allowances.add(owned=key.owned, amount=3, client=OPERATOR)
        assert key.now == Allowance(7, DAILY)
        allowances.add(owned=key.owned, amount=-9, client=OPERATOR)
        assert key.now == Allowance(0, DAILY)
        allowances.add(owned=key.owned, amount=2, client=OPERATOR)
        assert key.use_up() == 2

    def test_set_elsewhere_as_a_limit_is_one_too(self) -> None:
        key = Held(None)
        limit = {"meter": "requests", "window": "day", "size": 5}
        api_keys.change_key(
            account_id=key.account_id,
            key_id=key.id,
            changes={"limits": [limit]},
            client=OPERATOR,
            by_operator=True,
        )
        check(key.raw, cost=3)
        assert key.now == Allowance(2, DAILY)
        allowances.add(owned=key.owned, amount=6, client=OPERATOR)
        assert key.now == Allowance(8, DAILY)
        assert key.use_up() == 8

    @pytest.mark.both_databases
    def test_of_lost_counters_leaves_what_recorded_usage_does(self) -> None:
        key = Held(Allowance(4, DAILY))
        check(key.raw, cost=2)
        assert key.now == Allowance(2, DAILY)
        bring_up_to_date(key.account_id)
        current_limits().forget_account(key.account_id)
        assert key.now == Allowance(3, DAILY)

    @pytest.mark.both_databases
    def test_goes_on_in_the_key_that_replaces_it(self) -> None:
        key = Held(Allowance(3, DAILY))
        issued = rotation.rotate_key(
            account_id=key.account_id,
            key_id=key.id,
            grace_seconds=60,
            client=OPERATOR,
            by_operator=True,
        )
        assert is_allowed(issued.raw_key)
        assert key.now == Allowance(2, DAILY)
        assert allowances.allowance_of(owned_keys.get_key(key_id=issued.key.id)) == key.now


class TestOneForAnother:
    @for_each(
        "wanted", [None, Allowance(3), Allowance(0), Allowance(4, DAILY), Allowance(11, MONTHLY)]
    )
    @for_each("before", [None, Allowance(7), Allowance(2, DAILY), Allowance(1, MONTHLY)])
    def test_holds_exactly_from_then_on(
        self, before: Allowance | None, wanted: Allowance | None
    ) -> None:
        key = Held(before)
        check(key.raw)
        key.set(wanted)
        assert key.now == wanted
        assert key.use_up() == (MORE if wanted is None else wanted.remaining)


class TestScopesOfAKey:
    @pytest.mark.both_databases
    def test_all_that_are_added_at_once_are_there(self, app: Flask) -> None:
        key = Held(None)
        names = [f"scope.{number}" for number in range(8)]
        barrier = threading.Barrier(len(names), timeout=30)

        def add(name: str) -> None:
            with app.app_context():
                barrier.wait()
                add_scopes(account_id=key.account_id, key_id=key.id, scopes=[name], client=OPERATOR)

        with ThreadPoolExecutor(len(names)) as threads:
            list(threads.map(add, names))
        assert sorted(key.owned.key.scopes or ()) == names

    def test_a_hundred_are_the_most(self) -> None:
        key = Held(None)
        place = {"account_id": key.account_id, "key_id": key.id, "client": OPERATOR}
        names = [f"scope.{number}" for number in range(100)]
        add_scopes(**place, scopes=names)
        with pytest.raises(InvalidRequest):
            add_scopes(**place, scopes=["one.more"])
        assert key.owned.key.scopes == names
        remove_scopes(**place, scopes=names[1:])
        assert key.owned.key.scopes == names[:1]
