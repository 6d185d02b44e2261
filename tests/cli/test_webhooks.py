"""`webhooks add|list|show|enable|rotate|remove|test`."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask

from tests.cli.conftest import Commands
from tests.clients import Client
from tests.factories.webhooks import later
from tests.servers.webhook_receiver import WebhookReceiver, answer, running_receiver

URL = "https://hooks.example.com/ragauth"
ABSENT = "whk_01h455vb4pex5vsknk084sn02q"


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def hooked(make_app: Callable[..., Flask]) -> Commands:
    return Commands(make_app(webhook_private_networks=True))


def test_a_person_reads_the_secret_in_the_first_line(commands: Commands) -> None:
    first, *_ = commands.succeed("webhooks", "add", URL).output.splitlines()
    assert first.startswith("secret")
    assert "whsec_" in first


def test_what_is_added_is_listed_shown_rotated_and_removed(commands: Commands) -> None:
    added = commands.succeed("webhooks", "add", URL, "--event", "api_key.revoked", "--json").json
    secret = added.pop("secret")
    assert commands.succeed("webhooks", "list", "--json").json == [added]
    assert secret not in commands.succeed("webhooks", "list").output
    shown = commands.succeed("webhooks", "show", added["id"], "--json").json
    assert shown == {**added, "deliveries": []}
    rotated = commands.succeed("webhooks", "rotate", added["id"], "--json").json
    assert rotated["secret"] != secret
    assert commands.succeed("webhooks", "enable", added["id"]).output == "switched on\n"
    assert "--yes" in commands.misuse("webhooks", "remove", added["id"])
    assert commands.succeed("webhooks", "remove", added["id"], "--yes").output == "removed\n"
    assert commands.succeed("webhooks", "list", "--json").json == []


def test_a_test_is_sent_without_a_service(hooked: Commands, receiver: WebhookReceiver) -> None:
    added = hooked.succeed("webhooks", "add", receiver.url, "--event", "limit.warned", "--json")
    sent = hooked.succeed("webhooks", "test", added.json["id"], "--json").json
    assert (sent["state"], sent["response_status"], sent["attempts"]) == ("delivered", 204, 1)
    assert receiver.types == ["webhook.test"]
    receiver.behaviour = answer(500)
    failed = hooked.run("webhooks", "test", added.json["id"])
    assert (failed.exit_code, failed.errors) == (1, "")
    assert "status 500" in failed.output
    shown = hooked.succeed("webhooks", "show", added.json["id"]).output
    assert "webhook.test" in shown
    assert "delivered" in shown


def test_faults_are_one_line(commands: Commands) -> None:
    assert commands.fail("webhooks", "add", "http://hooks.example.com/") == (
        "url: Must begin with https://"
    )
    assert "fragment" in commands.misuse("webhooks", "add", f"{URL}#x")
    assert "limit.reached" in commands.misuse("webhooks", "add", URL, "--event", "x")
    for command in ("show", "enable", "rotate", "test"):
        assert commands.fail("webhooks", command, ABSENT) == "There is no such webhook"
    assert commands.fail("webhooks", "remove", ABSENT, "--yes") == "There is no such webhook"


@pytest.mark.both_databases
class TestStatus:
    def test_it_tells_of_endpoints_that_fail(
        self, hooked: Commands, receiver: WebhookReceiver
    ) -> None:
        added = hooked.succeed("webhooks", "add", receiver.url, "--json").json
        assert hooked.succeed("status", "--json").json["webhooks"] == {
            "waiting": 0,
            "active": 1,
            "switched_off": 0,
            "failing": [],
        }
        receiver.behaviour = answer(500)
        hooked.run("webhooks", "test", added["id"])
        told = hooked.succeed("status", "--json").json
        assert told["webhooks"]["failing"] == [added["id"]]
        assert told["webhooks"]["waiting"] == 1
        # An hour later it is a fault.
        with later(timedelta(minutes=61)):
            (fault,) = hooked.run("status", "--json").json["faults"]
        assert f"webhooks test {added['id']}" in fault
        receiver.behaviour = answer(410)
        hooked.run("webhooks", "test", added["id"])
        (fault,) = hooked.run("status", "--json").json["faults"]
        assert f"webhooks enable {added['id']}" in fault


@pytest.mark.both_databases
def test_after_a_restore_what_waits_is_dropped_and_can_be_sent_by_hand(
    hooked: Commands, receiver: WebhookReceiver, make_app: Callable[..., Flask]
) -> None:
    added = hooked.succeed("webhooks", "add", receiver.url, "--json").json
    Client(make_app()).sign_up()
    done = hooked.run("after-restore", "--yes", "--json")
    assert done.json["dropped_webhooks"] == 2
    assert done.json["dropped_mails"] == 1
    deliveries = hooked.succeed("webhooks", "show", added["id"], "--json").json["deliveries"]
    assert {each["cause"] for each in deliveries} == {"dropped after a restore"}
    assert {each["state"] for each in deliveries} == {"failed"}
