"""Buckets: rate limits that a service asks for by name."""

from collections.abc import Callable, Iterator

import pytest
import time_machine
from flask import Flask

from ragauth.counters import CountersUnavailable
from ragauth.errors import ExternalServiceUnavailable
from ragauth.services.limits.buckets import Bucket, BucketState, take
from ragauth.services.limits.limits import current_limits

NOW_MS = 1_790_000_000_000
ENDS = NOW_MS + 60_000


@pytest.fixture(autouse=True)
def at_a_moment(make_app: Callable[..., Flask]) -> Iterator[None]:
    with make_app().app_context(), time_machine.travel(NOW_MS / 1000, tick=False):
        yield


def bucket(
    namespace: str = "mail", identifier: str = "u-1", size: int = 3, length_ms: int = 60_000
) -> Bucket:
    return Bucket(namespace, identifier, size, length_ms)


def test_what_does_not_fit_is_refused_whole() -> None:
    assert take(bucket(), 2) == BucketState(True, 1, ENDS)
    assert take(bucket(), 2) == BucketState(False, 1, ENDS)
    assert take(bucket()) == BucketState(True, 0, ENDS)
    assert take(bucket()) == BucketState(False, 0, ENDS)
    assert take(bucket(), 0) == BucketState(True, 0, ENDS)


def test_each_name_and_length_is_a_bucket_of_its_own() -> None:
    full = bucket(size=1)
    assert take(full).is_allowed
    for other in (
        bucket("mails", size=1),
        bucket(identifier="u-2", size=1),
        bucket(length_ms=60_001, size=1),
        bucket("mail6", "0000:u-1", size=1),
        bucket("", "mail", size=1),
        bucket("mail", "", size=1),
        bucket("x" * 10_000, "\ud800\0é", size=1),
    ):
        assert take(other).is_allowed
    assert not take(full).is_allowed


def test_a_smaller_size_of_the_same_one_leaves_nothing() -> None:
    take(bucket(), 3)
    assert take(bucket(size=2)) == BucketState(False, 0, ENDS)
    assert take(bucket(size=5)) == BucketState(True, 1, ENDS)


def test_its_name_tells_no_customers_name() -> None:
    name = bucket(identifier="someone@example.test").name
    assert b"someone" not in name
    assert len(name) < 64


def test_a_store_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise CountersUnavailable("gone")

    monkeypatch.setattr(current_limits().counters, "take", fail)
    with pytest.raises(ExternalServiceUnavailable):
        take(bucket())
