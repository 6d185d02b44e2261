"""Webhooks arrive by themselves, beside mail, and outlive the process that sends them (S50)."""

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.e2e.service import QUICK, Installation, Service, install
from tests.servers.webhook_receiver import WebhookReceiver, answer, running_receiver
from tests.waiting import wait_until

CREATED = "account.created"


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def other() -> Iterator[WebhookReceiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """One with SQLite, whose file a test can change."""
    made = install(tmp_path, RAGAUTH_WEBHOOK_PRIVATE_NETWORKS="true", **QUICK)
    made.migrate()
    return made


def add(installation: Installation, receiver: WebhookReceiver) -> str:
    added = installation.command("webhooks", "add", receiver.url, "--event", CREATED, "--json")
    return str(json.loads(added)["secret"])


def accounts_of(receiver: WebhookReceiver) -> set[str]:
    return {each.message["data"]["account_id"] for each in receiver.received}


def mails(installation: Installation) -> int:
    folder = Path(installation.environment["RAGAUTH_INSTANCE_DIR"]) / "outbox"
    return len(list(folder.glob("*.eml")))


def counted(service: Service, series: str) -> float:
    page = service.client.get("/metrics").text
    (line,) = [line for line in page.splitlines() if line.startswith(f"{series} ")]
    return float(line.rpartition(" ")[2])


def test_a_slow_receiver_and_a_killed_sender_lose_nothing(
    installation: Installation, receiver: WebhookReceiver, other: WebhookReceiver
) -> None:
    """S50 and S34: neither mail nor other endpoints wait, and what was sent is sent again."""
    secret = add(installation, receiver)
    add(installation, other)
    receiver.behaviour = receiver.wait
    with installation.serve(workers=2) as service:
        users = [service.sign_up() for _ in range(3)]
        wait_until(lambda: accounts_of(other) == {user.account_id for user in users})
        wait_until(lambda: mails(installation) == 3)
        wait_until(lambda: len(receiver.received) == 1)
        assert counted(service, "ragauth_outbox_webhooks") == 3
        (beside,) = service.gunicorn.pids_beside()
        os.kill(beside, signal.SIGKILL)
        receiver.behaviour = answer(204)
        # Two minutes later, when the dead sender's claim is over.
        make_due(installation)
        wait_until(lambda: accounts_of(receiver) == {user.account_id for user in users})
        wait_until(lambda: counted(service, "ragauth_outbox_webhooks") == 0, every_seconds=0.1)
        log = service.gunicorn.log()
    first = receiver.received[0]
    assert [each.id for each in receiver.received].count(first.id) == 2
    assert len({each.id for each in receiver.received}) == 3
    for each in receiver.received:
        Webhook(secret).verify(each.body, each.headers)
    assert secret not in log
    assert receiver.url not in log


def test_it_works_without_a_process_beside_the_workers(
    installation: Installation, receiver: WebhookReceiver
) -> None:
    secret = add(installation, receiver)
    with installation.serve(workers=2, RAGAUTH_SERVER="gunicorn") as service:
        users = [service.sign_up() for _ in range(5)]
        wait_until(lambda: accounts_of(receiver) == {user.account_id for user in users})
        delivered = 'ragauth_webhook_attempts_total{state="delivered"}'
        wait_until(lambda: counted(service, delivered) == 5, every_seconds=0.1)
    assert len(receiver.received) == 5
    for each in receiver.received:
        Webhook(secret).verify(each.body, each.headers)


def make_due(installation: Installation) -> None:
    database = Path(installation.environment["RAGAUTH_INSTANCE_DIR"]) / "ragauth.db"
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        connection.execute(
            "UPDATE outbox SET next_attempt_at = created_at WHERE webhook_id IS NOT NULL"
        )
