"""Throttles: exact for any number at once, on either store of counters."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from ragauth import clock
from ragauth.counters import CountersUnavailable
from ragauth.errors import InvalidLogin, RateLimitExceeded, TooManyHashes
from ragauth.services.audit import OPERATOR, Client
from ragauth.services.limits import throttles
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.throttle import Throttle
from ragauth.services.mail import budget
from tests.servers.redis import RedisServer

SIZE = 5
MANY = 40


@pytest.fixture(params=["lmdb", "redis"])
def counting_app(
    app: Flask, request: pytest.FixtureRequest, make_app: Callable[..., Flask]
) -> Flask:
    """An application whose counters are of either store."""
    if request.param == "lmdb":
        return app
    server: RedisServer = request.getfixturevalue("redis_server")
    return make_app(redis_url=server.url)


@pytest.fixture
def throttle(app: Flask, tmp_path: Path) -> Iterator[Throttle]:
    """A throttle that no other test has touched."""
    with app.app_context():
        yield make_throttle(tmp_path)


def make_throttle(folder: Path) -> Throttle:
    return Throttle("login_failures_per_account", SIZE, 300, str(folder))


def fail(throttle: Throttle) -> None:
    with pytest.raises(InvalidLogin), throttle.failures():
        raise InvalidLogin


class TestAtOnce:
    def test_no_more_are_tried_than_may_fail(self, counting_app: Flask, tmp_path: Path) -> None:
        """S9: of many wrong passwords at once no more than the limit are ever hashed."""
        throttle, everyone_asked = make_throttle(tmp_path), threading.Barrier(MANY)
        tried, refused = [], []

        def attempt(number: int) -> None:
            with counting_app.app_context():
                try:
                    with throttle.failures():
                        tried.append(number)
                        everyone_asked.wait(20)
                        raise InvalidLogin
                except InvalidLogin:
                    pass
                except RateLimitExceeded:
                    refused.append(number)
                    everyone_asked.wait(20)

        with ThreadPoolExecutor(MANY) as threads:
            list(threads.map(attempt, range(MANY)))
        assert (len(tried), len(refused)) == (SIZE, MANY - SIZE)

    def test_what_succeeds_at_once_leaves_nothing_behind(
        self, counting_app: Flask, tmp_path: Path
    ) -> None:
        throttle = make_throttle(tmp_path)

        def attempt(_: int) -> None:
            with counting_app.app_context():
                try:
                    with throttle.failures():
                        pass
                except RateLimitExceeded:
                    pass

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(attempt, range(100)))
        with counting_app.app_context():
            for _ in range(SIZE):
                fail(throttle)
            with pytest.raises(RateLimitExceeded):
                throttle.take()


class TestFailures:
    def test_only_a_failure_to_authenticate_counts(self, throttle: Throttle) -> None:
        """S9: counted on failure."""
        for _ in range(SIZE + 1):
            with throttle.failures():
                pass
            with pytest.raises(TooManyHashes), throttle.failures():
                raise TooManyHashes
        for _ in range(SIZE):
            fail(throttle)
        with pytest.raises(RateLimitExceeded), throttle.failures():
            pytest.fail("it was tried")

    def test_a_refusal_tells_what_and_until_when_and_counts_nothing(
        self, throttle: Throttle
    ) -> None:
        with time_machine.travel("2026-01-15T10:30:00.250Z", tick=False) as time:
            for _ in range(SIZE):
                throttle.take()
            time.shift(100)
            for _ in range(3):
                with pytest.raises(RateLimitExceeded) as caught:
                    throttle.take()
                assert caught.value.headers["Retry-After"] == "200"
                assert caught.value.details == {
                    "limit": "login_failures_per_account",
                    "size": SIZE,
                    "window_seconds": 300,
                    "resets_at": "2026-01-15T10:35:01Z",
                }
            time.shift(200)
            throttle.take()

    def test_what_is_given_back_after_the_window_is_not_taken_from_the_next(
        self, throttle: Throttle
    ) -> None:
        with time_machine.travel(clock.now(), tick=False) as time:
            with throttle.failures():
                time.shift(300)
                for _ in range(SIZE):
                    throttle.take()
            assert not throttle.try_take().is_taken

    def test_clearing_begins_anew(self, throttle: Throttle) -> None:
        while throttle.try_take().is_taken:
            pass
        throttle.clear()
        assert throttle.try_take().is_taken

    def test_two_subjects_and_two_limits_are_apart(self, throttle: Throttle) -> None:
        while throttle.try_take().is_taken:
            pass
        assert Throttle("login_failures_per_account", SIZE, 300, "another").try_take().is_taken
        assert Throttle("mails_per_account", SIZE, 300, throttle.subject).try_take().is_taken

    def test_a_size_of_0_is_no_throttle(self, throttle: Throttle) -> None:
        off = Throttle("login_failures_per_account", 0, 300, throttle.subject)
        assert all(off.try_take().is_taken for _ in range(SIZE + 1))
        assert throttle.try_take().is_taken

    def test_what_was_asked_for_in_vain_does_not_count_as_an_attempt(
        self, throttle: Throttle
    ) -> None:
        for _ in range(SIZE + 1):
            with pytest.raises(TooManyHashes), throttle.attempts():
                raise TooManyHashes
        for _ in range(SIZE):
            with throttle.attempts():
                pass
        with pytest.raises(RateLimitExceeded), throttle.attempts():
            pytest.fail("it was tried")


class TestWithoutCounters:
    def test_nothing_is_throttled_and_the_log_says_so(
        self,
        make_app: Callable[..., Flask],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The file's folder is gone: people log in all the same, and hashing is bounded still."""

        def away(*_: object) -> None:
            raise CountersUnavailable("the disk is full")

        with make_app().app_context():
            for method in ("hit", "read_window", "clear_window"):
                monkeypatch.setattr(current_limits().counters, method, away)
            throttle = Throttle("login_failures_per_account", 1, 300, "somebody")
            for _ in range(3):
                fail(throttle)
            throttle.clear()
            throttle.give_back(1 << 60)
        assert caplog.text.count("nothing is throttled") == 3


class TestWithoutRedis:
    def test_the_hosts_own_file_counts_meanwhile(self, make_app: Callable[..., Flask]) -> None:
        """S32: limits go on in process."""
        with make_app(redis_url="redis://127.0.0.1:1").app_context():
            throttle = Throttle("login_failures_per_account", SIZE, 300, "somebody")
            for _ in range(SIZE):
                fail(throttle)
            assert not throttle.try_take().is_taken
            throttle.clear()
            assert throttle.try_take().is_taken


class TestSubjects:
    def test_an_ipv6_address_stands_for_its_64(self, make_app: Callable[..., Flask]) -> None:
        with make_app(signups_per_address=1).app_context():
            for one, other, are_one in (
                ("203.0.113.7", "203.0.113.7", True),
                ("203.0.113.7", "203.0.113.8", False),
                ("203.0.113.7", "::ffff:203.0.113.7", True),
                ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
                ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
            ):
                first, second = (
                    throttles.signups_of_address(Client(address, None)) for address in (one, other)
                )
                assert first.try_take().is_taken
                assert second.try_take().is_taken is not are_one, (one, other)
                first.clear()
                second.clear()

    def test_all_without_an_address_count_as_one_and_operators_do_not_count(
        self, make_app: Callable[..., Flask]
    ) -> None:
        """S40: an address that cannot be read is none, and switches no throttle off."""
        with make_app(signups_per_address=1).app_context():
            assert throttles.signups_of_address(Client(None, None)).try_take().is_taken
            assert not throttles.signups_of_address(Client(None, "operator")).try_take().is_taken
            for _ in range(2):
                assert throttles.signups_of_address(OPERATOR).try_take().is_taken

    def test_the_counters_hold_no_name_and_no_address(
        self, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[bytes] = []
        with make_app().app_context():
            counters = current_limits().counters
            hit = counters.hit
            monkeypatch.setattr(
                counters, "hit", lambda bucket, *rest: seen.append(bucket) or hit(bucket, *rest)
            )
            budget.mails_of_recipient("ada@example.com").take()
        assert len(seen) == 1
        assert b"ada" not in seen[0]
