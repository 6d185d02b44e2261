"""Credits: what is left of a key's requests is set, raised and lowered while checks count."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from ragauth.counters import CountersUnavailable
from ragauth.errors import (
    Conflict,
    ExternalServiceUnavailable,
    InvalidRequest,
    NoSuchKey,
    UsageLimitExceeded,
)
from ragauth.models import ApiKey
from ragauth.policy.limits import LARGEST
from ragauth.schemas.api_keys import KeySchema
from ragauth.schemas.dumping import dumper_of
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import api_keys, rotation
from ragauth.services.keys.check import current_checker
from ragauth.services.keys.credits import (
    add_credits,
    credits_limit,
    find_credits,
    set_remaining,
)
from ragauth.services.limits.account_limits import get_limits
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.usage import bring_up_to_date
from tests.servers.redis import RedisServer
from tests.services.vendors import (
    check,
    is_allowed,
    make_customer,
    make_key,
    remaining_in,
    remaining_of,
)

BURST = {"meter": "requests", "window": "10s", "size": 10**9, "name": "burst"}


@pytest.fixture
def counting_app(
    database: str, app: Flask, request: pytest.FixtureRequest, make_app: Callable[..., Flask]
) -> Iterator[Flask]:
    """An application that counts in its file, or in Redis where its database is Postgres."""
    if database == "postgres":
        server: RedisServer = request.getfixturevalue("redis_server")
        app = make_app(redis_url=server.url)
    with app.app_context():
        yield app


class Held:
    """A customer's key."""

    def __init__(self, granted: int | None, *limits: dict[str, object]) -> None:
        self.account_id = make_customer(str(uuid.uuid4())).id
        credit = [] if granted is None else [credits_limit(granted)]
        key, self.raw = make_key(self.account_id, limits=[*credit, *limits] or None)
        self.id = key.id

    @property
    def row(self) -> ApiKey:
        return api_keys.show_key(account_id=self.account_id, key_id=self.id, include_revoked=True)

    @property
    def granted(self) -> int | None:
        limit = find_credits(self.row.limits)
        return None if limit is None else limit["size"]

    @property
    def left(self) -> int | None:
        return remaining_of(self.row)

    def set(self, remaining: int | None) -> int | None:
        return set_remaining(
            account_id=self.account_id, key_id=self.id, remaining=remaining, client=OPERATOR
        )

    def add(self, amount: int) -> int:
        return add_credits(
            account_id=self.account_id, key_id=self.id, amount=amount, client=OPERATOR
        )

    def use_up(self) -> int:
        """Ask until nothing is left; returns how many checks were allowed."""
        count = 0
        while is_allowed(self.raw):
            count += 1
        return count


class TestOneAfterAnother:
    @pytest.mark.both_databases
    def test_as_many_checks_pass_as_there_are_credits(self, counting_app: Flask) -> None:
        key = Held(3)
        assert key.left == 3
        verdict = check(key.raw, cost=2)
        assert remaining_in(verdict) == 1
        assert isinstance(check(key.raw, cost=2).refusal, UsageLimitExceeded)
        assert is_allowed(key.raw, cost=0)
        assert is_allowed(key.raw)
        refused = check(key.raw)
        assert isinstance(refused.refusal, UsageLimitExceeded)
        assert refused.refusal.details == {
            "limit": "requests_total",
            "meter": "requests",
            "window": "total",
            "of": "key",
            "size": 3,
        }
        assert remaining_in(refused) == key.left == 0

    @pytest.mark.parametrize("remaining", [0, 2, 7])
    def test_what_is_set_is_left(self, counting_app: Flask, remaining: int) -> None:
        key = Held(4)
        check(key.raw)
        assert key.set(remaining) == key.left == remaining
        assert key.use_up() == remaining
        assert key.set(remaining) == remaining
        assert key.use_up() == remaining
        assert key.granted == 1 + 2 * remaining

    @pytest.mark.both_databases
    def test_it_is_raised_and_lowered_down_to_nothing(self, counting_app: Flask) -> None:
        key = Held(4)
        check(key.raw)
        assert key.add(2) == 5
        assert key.add(-3) == 2
        assert key.add(-3) == key.left == 0
        assert not is_allowed(key.raw)
        assert key.add(1) == 1
        assert key.use_up() == 1
        assert key.add(LARGEST) == key.add(LARGEST) == key.left == LARGEST

    @pytest.mark.both_databases
    def test_a_key_may_get_credits_and_lose_them(self, counting_app: Flask) -> None:
        key = Held(None, BURST)
        assert is_allowed(key.raw)
        assert key.left is None
        with pytest.raises(InvalidRequest):
            key.add(1)
        for _ in range(2):
            assert key.set(2) == key.left == 2
            assert key.use_up() == 2
            assert key.set(None) is None
            assert is_allowed(key.raw, cost=5)
            assert key.row.limits == [BURST]

    def test_its_other_limits_stay(self, counting_app: Flask) -> None:
        key = Held(2, BURST)
        key.add(3)
        assert key.row.limits == [credits_limit(5), BURST]
        # As they are told, without the mark.
        told = {"meter": "requests", "window": "total", "size": 5}
        for limits in ([told, BURST], [BURST, told]):
            api_keys.change_key(
                account_id=key.account_id,
                key_id=key.id,
                changes={"limits": limits},
                client=OPERATOR,
                by_operator=True,
            )
            assert key.left == 5
            key.add(0)
            assert key.row.limits == [credits_limit(5), BURST]

    def test_they_take_the_place_of_another_total(self, counting_app: Flask) -> None:
        key = Held(None, {"meter": "requests", "window": "total", "size": 1})
        assert key.use_up() == 1
        assert key.set(3) == 3
        assert key.use_up() == 3
        assert key.row.limits == [credits_limit(4)]

    def test_they_are_shown_as_a_total(self, counting_app: Flask) -> None:
        key = Held(5)
        check(key.raw)
        key.add(2)
        quotas = get_limits(account_id=key.account_id, key_id=key.id).quotas
        [total] = [quota for quota in quotas if quota.window == "total"]
        assert (total.size, total.used, total.remaining) == (7, 1, 6)
        shown = dumper_of(KeySchema()).dump(key.row)
        assert shown["limits"] == [{"meter": "requests", "window": "total", "size": 7}]

    def test_a_successor_goes_on_with_them(self, counting_app: Flask) -> None:
        key = Held(5)
        check(key.raw)
        issued = rotation.rotate_key(
            account_id=key.account_id,
            key_id=key.id,
            grace_seconds=60,
            client=OPERATOR,
            by_operator=True,
        )
        successor = Held.__new__(Held)
        successor.account_id, successor.id = key.account_id, issued.key.id
        successor.raw = issued.raw_key
        assert successor.left == 4
        assert successor.set(2) == 2
        assert key.left == 2
        assert is_allowed(key.raw)
        assert is_allowed(issued.raw_key)
        assert not is_allowed(key.raw)

    def test_a_store_that_lost_them_begins_with_what_was_granted_and_not_used(
        self, counting_app: Flask, make_app: Callable[..., Flask]
    ) -> None:
        key = Held(5)
        check(key.raw)
        key.set(9)
        check(key.raw, cost=2)
        key.add(-3)
        bring_up_to_date(key.account_id)
        with make_app().app_context():
            assert key.left == 4
            assert key.use_up() == 4

    def test_no_key_and_no_store_are_told(
        self, counting_app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = Held(5)
        other = make_customer("another").id
        with pytest.raises(NoSuchKey):
            set_remaining(account_id=other, key_id=key.id, remaining=1, client=OPERATOR)
        counters = current_limits().counters

        def fail(*_: object) -> None:
            raise CountersUnavailable("gone")

        for name in ("shift_tally", "forget_tallies"):
            monkeypatch.setattr(type(counters), name, fail)
        with pytest.raises(ExternalServiceUnavailable):
            key.set(1)
        with pytest.raises(ExternalServiceUnavailable):
            Held(None).set(1)


@pytest.mark.both_databases
class TestAtOnce:
    def test_a_check_that_read_an_older_row_is_decided_by_what_is_left_now(
        self, counting_app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = Held(1000)
        is_allowed(key.raw)
        lookup = type(current_checker().lookup)
        find_key = lookup.find_key
        changes = iter([lambda: key.set(0), lambda: key.set(2), lambda: key.add(-1)])

        def find_and_change(self: object, digest: bytes) -> object:
            facts = find_key(self, digest)
            if (change := next(changes, None)) is not None:
                change()
            return facts

        monkeypatch.setattr(lookup, "find_key", find_and_change)
        assert not is_allowed(key.raw)
        assert is_allowed(key.raw)
        assert not is_allowed(key.raw)

    def test_no_change_is_lost_and_no_check_too_many_passes(self, counting_app: Flask) -> None:
        key = Held(50)
        allowed: list[int] = []
        is_over = threading.Event()

        def ask(_: int) -> int:
            count = 0
            with counting_app.app_context():
                while not is_over.is_set():
                    count += is_allowed(key.raw)
            return count

        def change(number: int) -> None:
            with counting_app.app_context():
                for _ in range(4):
                    key.add(3)
                    key.set(number)
                    key.add(-1)

        with ThreadPoolExecutor(6) as pool:
            asking = pool.map(ask, range(3))
            list(pool.map(change, (5, 10, 20)))
            is_over.set()
            allowed += asking
        # What was granted in all is what was used, and what is left.
        assert key.left is not None
        assert sum(allowed) + key.left == key.granted
        key.set(7)
        assert key.use_up() == 7

    def test_who_makes_credits_second_is_told(
        self, counting_app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = Held(None)
        counters = current_limits().counters
        forget = counters.forget_tallies

        def forget_late(*arguments: object) -> None:
            monkeypatch.undo()
            key.set(3)
            forget(*arguments)

        monkeypatch.setattr(counters, "forget_tallies", forget_late)
        with pytest.raises(Conflict):
            key.set(5)
        assert key.left == 3
