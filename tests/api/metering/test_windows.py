"""Limits in windows with a length, of accounts and of keys, of requests and of other meters."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask

from tests.clients import Client, Member, error, ok
from tests.factories.policies import metered

NOON = datetime(2027, 2, 10, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def member(make_app: Callable[..., Flask], clock: time_machine.Traveller) -> Member:
    return Client(make_app(policy=metered())).sign_up()


def test_a_key(member: Member) -> None:
    made = member.create_key(limits=[{"meter": "requests", "window": "10s", "size": 2}])
    caller = Client(member.client.app).as_key(made["api_key"])
    for left in (1, 0):
        answer = caller.get("/api/v1/authorize?use=tokens:12")
        assert answer.status_code == 200, answer.text
        print(answer.headers)
    answer = caller.get("/api/v1/authorize")
    print(answer.text, answer.headers)
    assert 0
