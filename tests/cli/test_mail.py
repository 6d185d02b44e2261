"""`mail send`: for operators and cron, beside what running services do."""

from pathlib import Path

import pytest
from flask import Flask

from tests.cli.conftest import Commands
from tests.clients import Client
from tests.factories.mails import outbox_folder, receive_mail


@pytest.mark.both_databases
def test_it_sends_what_is_due_and_counts_it(app: Flask, commands: Commands, client: Client) -> None:
    receive_mail(app)
    client.sign_up()
    client.sign_up()
    report = commands.run("mail", "send", "--json").json
    assert report == {"sent": 2, "postponed": 0, "given_up": 0}
    assert len(list(Path(outbox_folder(app)).glob("*.eml"))) == 2
    receive_mail(app)
    assert commands.succeed("mail", "send", "--json").json["sent"] == 0


def test_it_speaks_to_people_too(commands: Commands) -> None:
    assert commands.succeed("mail", "send").output.split() == [
        *("sent", "0", "postponed", "0", "given_up", "0")
    ]
