"""The background sender: at once after a commit, again and again, until it is told to stop."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from ragauth import transaction
from ragauth.background import mail
from ragauth.background.mail import MailSender
from ragauth.services.mail import transport
from ragauth.services.mail.queue import Letter, MailTemplate, add_letter
from tests.clients import Client
from tests.servers.smtp import SmtpServer
from tests.services.senders import running
from tests.waiting import wait_until

MakeApp = Callable[..., Flask]


def test_a_commit_wakes_it_and_it_stops_at_once(
    mailing: Flask, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S35: without a wait for the interval, either way."""
    monkeypatch.setattr(mail, "INTERVAL_SECONDS", 3600)
    with running(MailSender(mailing)):
        for number in range(1, 4):
            Client(mailing).sign_up()
            wait_until(lambda expected=number: len(smtp.deliveries) == expected)


def test_mails_that_follow_each_other_share_a_turn(
    mailing: Flask, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one is sent at once; a turn has a connection of its own."""
    monkeypatch.setattr(mail, "_SOON_SECONDS", 3600)
    monkeypatch.setattr(mail, "_GATHERING_SECONDS", 1.0)
    Client(mailing).sign_up()
    with running(MailSender(mailing)):
        wait_until(lambda: len(smtp.deliveries) == 1)
        for _ in range(4):
            with mailing.app_context(), transaction.unit_of_work():
                letter = Letter("ada@example.com", {"at": "", "ip": "", "prefix": ""})
                add_letter(MailTemplate.KEY_CREATED.value, None, letter, timedelta(days=1))
        wait_until(lambda: len(smtp.deliveries) == 5)
    assert smtp.connections == 2


def test_mail_that_another_process_queued_is_sent_in_its_turn(
    make_app: MakeApp, mailing: Flask, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "INTERVAL_SECONDS", 0.05)
    with running(MailSender(mailing)):
        Client(make_app()).sign_up()
        wait_until(lambda: len(smtp.deliveries) == 1)


def test_a_fault_does_not_end_it(
    mailing: Flask, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "INTERVAL_SECONDS", 0.05)
    faults = []

    def fail(*_arguments: object) -> None:
        faults.append(1)
        raise ZeroDivisionError

    with running(MailSender(mailing)):
        with monkeypatch.context() as faulty:
            faulty.setattr(transport.SmtpServer, "deliver", fail)
            Client(mailing).sign_up()
            wait_until(lambda: bool(faults))
        Client(mailing).sign_up()
        wait_until(lambda: len(smtp.deliveries) == 1)


def test_a_mail_on_its_way_gets_a_moment_to_arrive(mailing: Flask, smtp: SmtpServer) -> None:
    """S35: what has begun is finished; what has not is left to another process."""
    smtp.seconds_to_think = 0.3
    with running(MailSender(mailing)) as sender:
        for _ in range(3):
            Client(mailing).sign_up()
        wait_until(lambda: smtp.connections == 1)
        sender.stop()
        arrived = len(smtp.deliveries)
    assert 1 <= arrived <= 2
    assert len(smtp.deliveries) == arrived
