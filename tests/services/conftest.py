"""Servers that the services speak to, applications that may send to them, and what was logged."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.servers.redis import RedisServer, start_redis
from tests.servers.smtp import SmtpServer, start_smtp
from tests.servers.webhook_receiver import WebhookReceiver, running_receiver

MakeApp = Callable[..., Flask]


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with start_redis() as server:
        yield server


@pytest.fixture
def in_context(app: Flask) -> Iterator[Flask]:
    """The application, whose context each call of the test is in."""
    with app.app_context():
        yield app


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def hooked(share_app: MakeApp) -> Flask:
    """An application that may send to loopback."""
    return share_app(webhook_private_networks=True)


@pytest.fixture
def smtp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    # To read the system's hundred authorities costs more than to send a mail.
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "no-authority.pem"))
    with start_smtp(tmp_path) as server:
        yield server


@pytest.fixture
def mailing(make_app: MakeApp, smtp: SmtpServer) -> Flask:
    """An application with a mail server."""
    return make_app(mail_url=smtp.url)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Everything that was logged, with its extras."""
    monkeypatch.setattr(logging.getLogger("ragauth"), "propagate", True)
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(
        json.dumps(record.__dict__, default=str, ensure_ascii=False)
        for record in caplog.records
        if record.name.startswith("ragauth")
    )
