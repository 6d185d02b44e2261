"""Confirmation tokens: good once, for one purpose, for a while."""

import uuid
from datetime import timedelta
from threading import Barrier, Thread

import pytest
import time_machine
from flask import Flask

from ragauth import clock, transaction
from ragauth.errors import (
    AuthenticationFailed,
    ConfirmationReused,
    CredentialExpired,
    CredentialInvalid,
)
from ragauth.security.identifiers import ACCOUNT, decode_id
from ragauth.services.accounts import confirmations
from ragauth.services.accounts.confirmations import Purpose
from tests.cases import for_each
from tests.clients import Client

RESET = frozenset({Purpose.RESET_PASSWORD})


@pytest.fixture
def account_id(client: Client) -> uuid.UUID:
    return decode_id(ACCOUNT, client.sign_up().id)


@pytest.fixture
def token(app: Flask, account_id: uuid.UUID) -> str:
    with app.app_context(), transaction.unit_of_work():
        return confirmations.issue_token(
            account_id=account_id, purpose=Purpose.RESET_PASSWORD, lifetime=timedelta(minutes=30)
        )


def use(app: Flask, token: str, purposes: frozenset[Purpose] = RESET) -> uuid.UUID:
    with app.app_context(), transaction.unit_of_work():
        return confirmations.use_token(token, purposes=purposes).account_id


def test_a_token_is_good_once(app: Flask, account_id: uuid.UUID, token: str) -> None:
    assert use(app, token) == account_id
    with pytest.raises(ConfirmationReused):
        use(app, token)


@pytest.mark.both_databases
def test_of_twenty_uses_at_once_one_succeeds(app: Flask, token: str) -> None:
    """S8"""
    barrier = Barrier(20)
    outcomes: list[str] = []

    def try_it() -> None:
        barrier.wait()
        try:
            use(app, token)
        except AuthenticationFailed as error:
            outcomes.append(error.reason)
        else:
            outcomes.append("used")

    threads = [Thread(target=try_it) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["reused"] * 19 + ["used"]


def test_it_is_not_good_for_another_purpose(app: Flask, token: str) -> None:
    with pytest.raises(CredentialInvalid):
        use(app, token, frozenset({Purpose.VERIFY_EMAIL, Purpose.SECOND_FACTOR}))


@pytest.mark.both_databases
@for_each("garbage", ["", "x", "\x00", "\ud800", "ü" * 5000])
def test_what_is_no_token_is_invalid(app: Flask, garbage: str) -> None:
    with pytest.raises(CredentialInvalid):
        use(app, garbage)


def test_it_expires(app: Flask, token: str) -> None:
    with (
        time_machine.travel(clock.now() + timedelta(minutes=31), tick=False),
        pytest.raises(CredentialExpired),
    ):
        use(app, token)


def test_a_withdrawn_token_is_invalid(app: Flask, account_id: uuid.UUID, token: str) -> None:
    with app.app_context(), transaction.unit_of_work():
        confirmations.withdraw_tokens(account_id=account_id, purposes=RESET)
    with pytest.raises(CredentialInvalid):
        use(app, token)
