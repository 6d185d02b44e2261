"""A receiver of webhooks, an application that may send to it, and what was logged."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.servers.webhook_receiver import WebhookReceiver, running_receiver

MakeApp = Callable[..., Flask]


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def hooked(make_app: MakeApp) -> Flask:
    """An application that may send to loopback."""
    return make_app(webhook_private_networks=True)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    monkeypatch.setattr(logging.getLogger("ragauth"), "propagate", True)
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(
        json.dumps(record.__dict__, default=str)
        for record in caplog.records
        if record.name.startswith("ragauth")
    )
