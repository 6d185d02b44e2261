"""What the documentation lets ragauth's user of Redis do, and all that a store does with it."""

import re

import pytest

from ragauth.config.redis_urls import redis_url
from ragauth.counters import CountersUnavailable
from ragauth.counters.redis_store import RedisCounters
from tests.counters.questions import ACCOUNT, KEY, MONTH, NOW, ask, installation
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
    assert store.peek(ACCOUNT, 0, MONTH, NOW) is not None
    store.seed_month(ACCOUNT, 0, MONTH + 2, 0)  # drops the month before
    assert store.hit(b"login", 1_000, NOW).count == 1
    store.clear_window(b"login")
    assert store.read_window(b"login", 1_000, NOW).count == 0
    assert store.acquire_lease(b"flush", b"a", 1_000, NOW)
    assert not store.acquire_lease(b"flush", b"b", 1_000, NOW)
    assert store.changed_usage_of(ACCOUNT) == store.changed_usage(1)
    assert store.unsaved_use(ACCOUNT, 0, KEY) is not None
    database = Saved()
    database.save(store)
    assert database.requests >= 2
    assert store.changed_usage_of(ACCOUNT) == []
    store.forget_account(ACCOUNT)
    assert ask(store) is None


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
