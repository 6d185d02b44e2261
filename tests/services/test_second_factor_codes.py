"""The codes of a second factor: spent once however many try, opened with an old secret key."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from ragauth import transaction
from ragauth.counters import CountersUnavailable
from ragauth.errors import ExternalServiceUnavailable, InvalidCode, RateLimitExceeded
from ragauth.extensions import db
from ragauth.models import SecondFactor
from ragauth.models import accounts as account_rows
from ragauth.models import second_factors as factor_rows
from ragauth.security.identifiers import ACCOUNT, decode_id
from ragauth.security.sealing import SealBroken
from ragauth.services.accounts.second_factor_codes import (
    CheckedCode,
    Method,
    check_code,
    spend_code,
)
from ragauth.services.accounts.second_factors import find_confirmed
from ragauth.services.audit import Client as Origin
from ragauth.services.limits.limits import current_limits
from tests.cli.conftest import Commands
from tests.clients import Client, Member
from tests.factories.second_factors import Authenticator, enrol, wrong_code
from tests.runtime import runtime_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORIGIN = Origin(ip="192.0.2.1", user_agent="tests")
AT_ONCE = 20


@pytest.fixture(autouse=True)
def traveller() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON) as coordinates:
        yield coordinates


@pytest.fixture
def member(client: Client) -> Member:
    return client.sign_up()


@pytest.fixture
def authenticator(member: Member) -> Authenticator:
    return enrol(member)


@pytest.fixture
def account_id(member: Member) -> uuid.UUID:
    return decode_id(ACCOUNT, member.id)


def check(app: Flask, account_id: uuid.UUID, code: str) -> CheckedCode:
    with app.app_context():
        with transaction.read_only():
            factor = find_confirmed(account_id)
        assert factor is not None
        return check_code(factor, code=code, client=ORIGIN)


def spend(app: Flask, checked: CheckedCode) -> Method:
    with app.app_context(), transaction.unit_of_work():
        account = account_rows.find_account(checked.factor.account_id)
        assert account is not None
        return spend_code(checked, account=account, client=ORIGIN)


def spend_at_once(app: Flask, checked: list[CheckedCode]) -> list[str]:
    """What became of each."""
    barrier = Barrier(len(checked))

    def try_it(code: CheckedCode) -> str:
        barrier.wait()
        try:
            return spend(app, code).value
        except InvalidCode:
            return "refused"

    with ThreadPoolExecutor(len(checked)) as threads:
        return sorted(threads.map(try_it, checked))


class TestOnce:
    @pytest.mark.both_databases
    def test_of_twenty_uses_of_a_code_at_once_one_counts(
        self, app: Flask, account_id: uuid.UUID, authenticator: Authenticator
    ) -> None:
        """S8: all of them were right when they were checked."""
        checked = [check(app, account_id, authenticator.code()) for _ in range(AT_ONCE)]
        assert spend_at_once(app, checked) == ["refused"] * (AT_ONCE - 1) + ["totp"]

    @pytest.mark.both_databases
    def test_of_twenty_uses_of_a_recovery_code_at_once_one_counts(
        self, app: Flask, member: Member, account_id: uuid.UUID, authenticator: Authenticator
    ) -> None:
        """S8"""
        code = authenticator.recovery_codes[4]
        checked = [check(app, account_id, code) for _ in range(AT_ONCE)]
        assert spend_at_once(app, checked) == ["recovery_code"] + ["refused"] * (AT_ONCE - 1)
        with app.app_context(), transaction.read_only():
            assert factor_rows.count_recovery_codes(account_id) == 9
        assert member.event_names().count("account:recovery_code_used") == 1

    def test_a_code_of_an_earlier_step_does_not_come_after_a_later_one(
        self, app: Flask, account_id: uuid.UUID, authenticator: Authenticator
    ) -> None:
        earlier = check(app, account_id, authenticator.code())
        spend(app, check(app, account_id, authenticator.code(1)))
        with pytest.raises(InvalidCode):
            spend(app, earlier)
        with pytest.raises(InvalidCode):
            check(app, account_id, authenticator.code())

    def test_a_code_of_the_factor_before_does_not_count_for_this_one(
        self, app: Flask, account_id: uuid.UUID, member: Member, authenticator: Authenticator
    ) -> None:
        checked = check(app, account_id, authenticator.code(1))
        body = {"password": member.password, "code": authenticator.code()}
        member.client.post("/api/auth/second-factor/delete", body)
        enrol(member)
        with pytest.raises(InvalidCode):
            spend(app, checked)


def test_a_right_code_is_not_counted_as_a_failure(
    app: Flask, account_id: uuid.UUID, authenticator: Authenticator
) -> None:
    """S9"""
    for code in [wrong_code(authenticator)] * 4 + [authenticator.code()] * 10:
        try:
            check(app, account_id, code)
        except InvalidCode:
            assert code != authenticator.code()


def test_after_fifty_wrong_codes_in_a_day_none_is_looked_at(
    app: Flask,
    account_id: uuid.UUID,
    authenticator: Authenticator,
    traveller: time_machine.Traveller,
) -> None:
    """S9: patience does not help who knows the password alone."""
    for _ in range(10):
        for _ in range(5):
            with pytest.raises(InvalidCode):
                check(app, account_id, wrong_code(authenticator))
        traveller.shift(301)
    with pytest.raises(RateLimitExceeded) as refusal:
        check(app, account_id, authenticator.code())
    assert refusal.value.details["limit"] == "second_factor_failures_per_day"
    traveller.shift(86_400)
    check(app, account_id, authenticator.code())


def test_while_nothing_counts_no_code_is_looked_at(
    account_id: uuid.UUID,
    authenticator: Authenticator,
    make_app: Callable[..., Flask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S9, S32: a login without a throttle is slow to guess, a code of six digits is not."""

    def away(*_: object) -> None:
        raise CountersUnavailable("the disk is full")

    further = make_app()
    with further.app_context():
        for method in ("hit", "read_window"):
            monkeypatch.setattr(current_limits().counters, method, away)
    with pytest.raises(ExternalServiceUnavailable):
        check(further, account_id, authenticator.code())


class TestAnotherSecretKey:
    def test_what_the_old_one_sealed_opens_and_is_sealed_anew(
        self,
        app: Flask,
        account_id: uuid.UUID,
        authenticator: Authenticator,
        make_app: Callable[..., Flask],
    ) -> None:
        """S16"""
        old, new = runtime_of(app).settings.secret_key, b"n" * 32
        between = make_app(secret_key=new, old_secret_keys=(old,))
        spend(between, check(between, account_id, authenticator.recovery_codes[0]))
        spend(between, check(between, account_id, authenticator.code()))
        after = make_app(secret_key=new)
        spend(after, check(after, account_id, authenticator.code(1)))
        spend(after, check(after, account_id, authenticator.recovery_codes[1]))

    def test_the_command_moves_it_without_a_login(
        self,
        app: Flask,
        account_id: uuid.UUID,
        authenticator: Authenticator,
        make_app: Callable[..., Flask],
    ) -> None:
        old, new = runtime_of(app).settings.secret_key, b"n" * 32
        between = make_app(secret_key=new, old_secret_keys=(old,))
        for moved in (1, 0):
            answer = Commands(between).succeed("reseal", "--json").json
            assert (answer["second_factors"], answer["unreadable_second_factors"]) == (moved, 0)
        after = make_app(secret_key=new)
        spend(after, check(after, account_id, authenticator.code()))
        lost = make_app(secret_key=b"l" * 32)
        assert Commands(lost).succeed("reseal", "--json").json["unreadable_second_factors"] == 1

    def test_without_the_old_one_nothing_opens(
        self,
        account_id: uuid.UUID,
        authenticator: Authenticator,
        make_app: Callable[..., Flask],
    ) -> None:
        after = make_app(secret_key=b"n" * 32)
        with pytest.raises(SealBroken):
            check(after, account_id, authenticator.code())

    def test_a_secret_in_another_accounts_row_does_not_open(
        self, app: Flask, client: Client, account_id: uuid.UUID, authenticator: Authenticator
    ) -> None:
        """Whoever can write to the database cannot put his own factor on an account."""
        other = client.sign_up()
        others = enrol(other)
        with app.app_context(), transaction.unit_of_work():
            own = db.session.scalars(
                select(SecondFactor).where(SecondFactor.account_id == decode_id(ACCOUNT, other.id))
            ).one()
            factor = find_confirmed(account_id)
            assert factor is not None
            factor.sealed_secret = own.sealed_secret
        with pytest.raises(SealBroken):
            check(app, account_id, others.code())
