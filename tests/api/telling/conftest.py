"""An installation that sells 100 tokens a day and 500 a month, and a clock that stands still."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask

from tests.clients import Client, Member
from tests.factories.mails import confirm_address, receive_mail
from tests.factories.policies import metered

_WEEK = 7 * 86_400
POLICY = metered(others="tokens = { day = 100, month = 500 }")


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime(2027, 2, 10, 12, tzinfo=UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def member(share_app: Callable[..., Flask], clock: time_machine.Traveller) -> Member:
    """Its owner has confirmed the address, and read all mail."""
    member = Client(share_app(policy=POLICY, access_token_seconds=_WEEK)).sign_up()
    confirm_address(member)
    receive_mail(member.client.app)
    return member
