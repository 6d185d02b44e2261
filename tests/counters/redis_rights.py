"""What the documentation lets ragauth's user of Redis do, and all that a store does with it."""

import re
from secrets import token_bytes

import pytest

from ragauth.config.redis_urls import redis_url
from ragauth.counters import CountersUnavailable, Reserve, Shift, Use
from ragauth.counters.redis_store import RedisCounters
from tests.counters.questions import (
    ACCOUNT,
    KEY,
    MONTH,
    NOW,
    ask,
    in_period,
    in_window,
    installation,
    report,
    seed_tallies,
)
from tests.counters.saved_usage import Saved, admit
from tests.servers.gunicorn import PROJECT_ROOT

PASSWORD = "p@ss/w#rd:%?"
ENCODED = "p%40ss%2Fw%23rd%3A%25%3F"


def documented_rules() -> list[str]:
    """The words of the ACL in the documentation, for the installation of the tests."""
    text = (PROJECT_ROOT / "docs/operations.md").read_text()
    found = re.search(r"^ACL SETUSER ragauth (.*)$", text, re.MULTILINE)
    assert found is not None
    rules = found[1].replace(">the-password", f">{PASSWORD}")
    return rules.replace("<id>", installation()).split()


def use_all(store: RedisCounters) -> None:
    """Everything that a store does."""
    store.ping()
    store.resume("an outage")
    admit(store, 2)
    use_limits(store)
    assert store.peek(ACCOUNT, 0, MONTH, NOW) is not None
    store.seed_month(ACCOUNT, 0, MONTH + 2, 0)  # drops the month before
    assert store.hit(b"login", 1_000, NOW).count == 1
    assert not store.take(b"login", 1_000, NOW, 1, 1).is_taken
    store.clear_window(b"login")
    assert store.read_window(b"login", 1_000, NOW).count == 0
    assert store.acquire_lease(b"flush", b"a", 1_000, NOW)
    assert not store.acquire_lease(b"flush", b"b", 1_000, NOW)
    assert len(store.changed_usage_of(ACCOUNT)) == len(store.changed_usage(9)) == 2
    assert store.unsaved_use(ACCOUNT, 0, KEY) is not None
    database = Saved()
    database.save(store)
    assert database.requests >= 2
    assert store.changed_usage_of(ACCOUNT) == []
    store.forget_account(ACCOUNT)
    assert ask(store) is None


def use_limits(store: RedisCounters) -> None:
    """All that is asked for tallies, reservations and reports."""
    total, window = in_period(4, period=0, size=1_000), in_window(4, size=1_000)
    seed_tallies(store, total)
    assert store.shift_tally(ACCOUNT, 0, total, Shift(0, 0, 9), NOW) is not None
    uses = (Use(b"tokens", 4),)
    reserve = Reserve(token_bytes(16), NOW + 1_000, uses)
    answer = ask(store, tallies=(total, window), uses=uses, reserve=reserve)
    assert answer is not None
    assert answer.refused_by is None
    assert store.settle(ACCOUNT, answer.token, (), NOW, answer.store).outcome == "settled"
    assert report(store, b"an event", 4, total, window) is not None
    peek = store.peek(ACCOUNT, 0, MONTH, NOW, (total, window))
    assert peek is not None
    assert min(count.used for count in peek.counts) >= 4


def state_of(url: str) -> str:
    store = RedisCounters(redis_url(url), installation)
    with pytest.raises(CountersUnavailable) as refused:
        store.ping()
    store.close()
    for word in (PASSWORD, ENCODED):
        assert word not in str(refused.value)
    return refused.value.state


def rights() -> list[str]:
    """The commands alone."""
    return [word for word in documented_rules() if word.startswith("+")]
