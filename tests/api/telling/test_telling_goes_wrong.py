"""Telling and saving at once, and when one of the two goes wrong."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from ragauth import clock, transaction
from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import db
from ragauth.models import LimitNotice
from ragauth.models import limit_notices as notice_rows
from ragauth.security.identifiers import ACCOUNT, decode_id
from ragauth.services.accounts import limit_notices
from ragauth.services.limits.limits import Limits, current_limits
from ragauth.services.limits.usage import save_last_usage, save_usage_in_turn
from tests.api.metering.asking import authorize
from tests.api.telling.conftest import POLICY
from tests.api.telling.told import (
    ALL_TOKENS_A_DAY,
    MOST_TOKENS_A_DAY,
    mails,
    names,
    save,
    subjects,
    use_tokens,
)
from tests.clients import Client, Member, ok
from tests.factories.accounts import suspend
from tests.runtime import runtime_of


def notices(member: Member) -> list[int]:
    """The percents that are noted."""
    with member.client.app.app_context(), transaction.read_only():
        return sorted(db.session.scalars(select(LimitNotice.percent)))


def unsaved(member: Member) -> int:
    with member.client.app.app_context():
        return len(current_limits().counters.changed_usage_of(decode_id(ACCOUNT, member.id).bytes))


def before_telling(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Once it was found that an owner must be told, and before that is done, something happens."""
    tell_owner = limit_notices._tell_owner

    def tell(*arguments: Any) -> None:
        happens()
        tell_owner(*arguments)

    monkeypatch.setattr(limit_notices, "_tell_owner", tell)


@pytest.mark.both_databases
class TestAtOnce:
    @pytest.mark.parametrize("amount", [80, 100])
    def test_of_many_hosts_one_tells(
        self,
        member: Member,
        make_app: Callable[..., Flask],
        monkeypatch: pytest.MonkeyPatch,
        amount: int,
    ) -> None:
        """All have found that nobody told it yet, and write at the same moment."""
        authorize(member.key_client, f"use=tokens:{amount}")
        first = member.client.app
        with first.app_context():
            counters = current_limits().counters
            rows = counters.changed_usage_of(decode_id(ACCOUNT, member.id).bytes)
        hosts = [first, *(make_app(policy=POLICY) for _ in range(3))]
        all_have_read = Barrier(len(hosts))
        find = notice_rows.find_notices

        def find_and_wait(*arguments: Any) -> Any:
            found = find(*arguments)
            all_have_read.wait(30)
            return found

        monkeypatch.setattr(notice_rows, "find_notices", find_and_wait)

        def tell(host: Flask) -> bool:
            # The counters are those of all hosts, as in Redis.
            with host.app_context():
                monkeypatch.setattr(current_limits(), "counters", counters)
                return runtime_of(host).limit_notices.tell(rows)

        with ThreadPoolExecutor(len(hosts)) as threads:
            assert list(threads.map(tell, hosts)) == [True] * len(hosts)
        assert len(names(member)) == len(subjects(member)) == 1

    def test_one_that_saw_less_does_not_warn_after_all_was_told(
        self, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The slower of two processes read its counters before the faster one's requests."""
        more = iter([20])

        def others_go_on() -> None:
            for amount in more:
                use_tokens(member, amount)

        before_telling(monkeypatch, others_go_on)
        use_tokens(member, 80)
        assert names(member) == ["limit:reached tokens_per_day"]
        assert (subjects(member), notices(member)) == ([ALL_TOKENS_A_DAY], [80, 100])

    def test_an_account_that_is_deleted_meanwhile_is_told_nothing(
        self, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def delete_it() -> None:
            ok(member.client.post("/api/auth/me/delete", {"password": member.password}), 204)

        before_telling(monkeypatch, delete_it)
        use_tokens(member, 80)
        assert (subjects(member), notices(member)) == ([], [])

    def test_one_that_is_suspended_meanwhile_is_told_nothing(
        self, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before_telling(monkeypatch, lambda: suspend(member))
        use_tokens(member, 80)
        assert (subjects(member), notices(member)) == ([], [])


def test_a_deletion_takes_notices_along(member: Member) -> None:
    use_tokens(member, 80)
    assert notices(member) == [80]
    ok(member.client.post("/api/auth/me/delete", {"password": member.password}), 204)
    assert (notices(member), mails(member)) == ([], [])


class TestFailures:
    @pytest.mark.parametrize(
        "error", [OperationalError("", {}, Exception("gone")), ExternalServiceUnavailable()]
    )
    def test_what_could_not_be_told_is_saved_and_told_later(
        self,
        member: Member,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        error: Exception,
    ) -> None:
        """Without a further request: at 100 % there is none."""
        with monkeypatch.context() as broken:
            broken.setattr(notice_rows, "add_notice", _raising(error))
            use_tokens(member, 100)
            save(member)
            (day,) = ok(member.client.get("/api/auth/usage"))
            assert (day["use"], names(member)) == ({"tokens": 100}, [])
        assert [record.message for record in caplog.records].count(
            "owners were not told how much of their limits is used"
        ) == 1
        save(member)
        assert names(member) == ["limit:reached tokens_per_day"]
        assert subjects(member) == [ALL_TOKENS_A_DAY]
        assert unsaved(member) == 0

    def test_a_bug_keeps_no_usage_from_being_saved(
        self,
        member: Member,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(Limits, "peek_in_calendar", _raising(ZeroDivisionError()))
            use_tokens(member, 80)
            assert unsaved(member) == 0
        assert "ZeroDivisionError" in caplog.text
        use_tokens(member, 0)
        assert subjects(member) == [MOST_TOKENS_A_DAY]


def _raising(error: Exception) -> Callable[..., Any]:
    def raise_it(*_: object, **__: object) -> Any:
        raise error

    return raise_it


class TestTurns:
    """The process that saves every ten seconds looks at an account far below once a minute."""

    def turn(self, member: Member) -> None:
        with member.client.app.app_context():
            save_usage_in_turn(current_limits().counters)

    def use(self, member: Member, amount: int, key: str | None = None) -> None:
        caller = member.key_client if key is None else Client(member.client.app).as_key(key)
        assert authorize(caller, f"use=tokens:{amount}").status_code == 200
        self.turn(member)

    def test_who_comes_near_is_told_at_once(self, member: Member) -> None:
        for amount in (1, 1, 78):
            self.use(member, amount)
        assert names(member) == ["limit:warned tokens_per_day"]
        assert subjects(member) == [MOST_TOKENS_A_DAY]
        self.use(member, 20)
        assert subjects(member) == [ALL_TOKENS_A_DAY]

    def test_what_others_saved_is_seen_a_minute_later(
        self, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also if the account has used nothing since."""
        # Whole seconds: those of the machine may add up to a little less than a minute.
        now = float(round(clock.monotonic()))
        monkeypatch.setattr(clock, "monotonic", lambda: now)
        self.use(member, 1)
        others = [member.create_key()["api_key"] for _ in range(5)]
        for key in others:
            self.use(member, 16, key)
        assert names(member) == []
        now += 60
        self.turn(member)
        assert names(member) == ["limit:warned tokens_per_day"]

    def test_the_end_of_the_process_leaves_nobody_out(
        self, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.use(member, 1)
        for key in [member.create_key()["api_key"] for _ in range(5)]:
            self.use(member, 16, key)
        assert names(member) == []
        with member.client.app.app_context():
            save_last_usage(current_limits().counters)
        assert names(member) == ["limit:warned tokens_per_day"]

    def test_a_failure_in_a_turn_is_made_good_in_the_next(
        self, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(notice_rows, "add_notice", _raising(ExternalServiceUnavailable()))
            self.use(member, 100)
        self.turn(member)
        assert names(member) == ["limit:reached tokens_per_day"]
