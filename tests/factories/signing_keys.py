"""The ring as an operator and a verifier see it, and a clock that the test moves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
from flask import Flask

from ragauth import clock
from ragauth.services.sessions.signing_keys import RING_SECONDS
from tests.clients import Client
from tests.factories.commands import run
from tests.factories.tokens import split_token

NOON = "2026-03-01T12:00:00Z"


class MovingClock:
    """The wall clock and the monotonic one, which stand still until they are moved."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller
        self.elapsed = 1_000.0

    def shift(self, seconds: float) -> None:
        self._traveller.shift(seconds)
        self.elapsed += seconds

    def let_every_process_learn(self) -> None:
        self.shift(RING_SECONDS)


@contextmanager
def moving_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MovingClock]:
    with time_machine.travel(NOON, tick=False) as traveller:
        moving = MovingClock(traveller)
        monkeypatch.setattr(clock, "monotonic", lambda: moving.elapsed)
        yield moving


def rotate(app: Flask, *arguments: str) -> str:
    """A new key; returns its `kid`."""
    kid: str = json.loads(run(app, "signing-keys", "rotate", "--json", *arguments))["kid"]
    return kid


def retire(app: Flask, kid: str, *arguments: str) -> None:
    run(app, "signing-keys", "retire", "--yes", kid, *arguments)


def list_keys(app: Flask) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = json.loads(
        run(app, "signing-keys", "list", "--include-retired", "--json")
    )
    return keys


def states(app: Flask) -> dict[str, str]:
    return {key["kid"]: key["state"] for key in list_keys(app)}


def published(app: Flask) -> list[str]:
    """The key ids that a verifier reads."""
    answer = Client(app).get("/.well-known/jwks.json")
    assert answer.status_code == 200
    return [key["kid"] for key in answer.get_json()["keys"]]


def kid_of(token: str) -> str:
    kid: str = split_token(token)[0]["kid"]
    return kid
