"""An installation that sells tokens and pages, and a clock that stands until it is moved."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask

from tests.clients import Client, Member
from tests.factories.api_keys import make_service_key
from tests.factories.policies import metered

# The clock may be moved over the end of a month.
_WEEKS = 4 * 7 * 86_400
NOON = datetime(2027, 2, 10, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """At noon of the 10th of February 2027."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def member(share_app: Callable[..., Flask], clock: time_machine.Traveller) -> Member:
    """On the plan `trial`, with no more than 60 requests a minute and 1,000 a month."""
    return Client(share_app(policy=metered(), access_token_seconds=_WEEKS)).sign_up()


@pytest.fixture
def service(member: Member) -> Client:
    """A service that may ask, settle and report."""
    return Client(member.client.app).as_key(make_service_key(member.client.app, "verify"))
