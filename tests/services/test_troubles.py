"""What goes wrong beside the requests is told by /readyz, the metrics and the log, by its cause."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from ragauth import clock
from ragauth.background import usage
from ragauth.background.mail import MailSender
from ragauth.background.usage import UsageSaver
from ragauth.counters import CountersUnavailable
from ragauth.database_faults import DatabaseFault
from ragauth.extensions import db
from ragauth.metrics.series import CAUSES
from ragauth.services import troubles
from tests.clients import Client, ok
from tests.runtime import runtime_of
from tests.servers.smtp import start_smtp

MakeApp = Callable[..., Flask]


@dataclass
class Told:
    """What an operator reads of one work."""

    app: Flask
    work: str

    def state(self) -> str:
        """The state in /readyz, which stays 200: requests are answered."""
        data = ok(Client(self.app).get("/readyz"))
        states = [state for name, state in data["checks"].items() if name != self.work]
        assert set(states) == {"ok"}
        state: str = data["checks"][self.work]
        assert data["status"] == ("ok" if state == "ok" else "degraded")
        return state

    def causes(self) -> set[str]:
        """The causes in the metrics."""
        begin = 'ragauth_failing_workers{cause="'
        lines = Client(self.app).get("/metrics").text.splitlines()
        return {
            line.split('"')[1]
            for line in lines
            if line.startswith(begin) and f'work="{self.work}"' in line and line.endswith(" 1.0")
        }


class TestUsage:
    @pytest.mark.parametrize(
        ("error", "cause", "words"),
        [
            (CountersUnavailable("gone"), "counters", "the counters did not answer"),
            (ZeroDivisionError(), "bug", "a bug: see the log"),
        ],
    )
    def test_what_keeps_it_from_being_saved_is_told_until_it_is(
        self,
        app: Flask,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
        cause: str,
        words: str,
    ) -> None:
        saver, told = UsageSaver(app), Told(app, "usage")

        def fail(_counters: object) -> None:
            raise error

        with monkeypatch.context() as failing:
            failing.setattr(usage, "save_usage_in_turn", fail)
            for _ in range(2):
                saver.take_turn()
        assert (told.state(), told.causes()) == (words, {cause})
        saver.take_turn()
        assert (told.state(), told.causes()) == ("ok", set())

    @pytest.mark.both_databases
    def test_the_cause_in_the_database_is_told(self, app: Flask, client: Client) -> None:
        member = client.sign_up()
        assert member.key_client.get("/api/v1/authorize").status_code == 200
        saver, told = UsageSaver(app), Told(app, "usage")
        rename(app, "usage", "gone")
        try:
            saver.take_turn()
            assert told.causes() == {"database_not_migrated"}
        finally:
            rename(app, "gone", "usage")
        saver.take_turn()
        assert (told.state(), told.causes()) == ("ok", set())
        rows = ok(member.client.get("/api/auth/usage"))
        assert [row["requests"] for row in rows] == [1]


def rename(app: Flask, old: str, new: str) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def later() -> time_machine.travel:
    """When a mail that failed once is due again."""
    return time_machine.travel(clock.now() + timedelta(seconds=3), tick=True)


class TestMail:
    def test_a_server_that_is_away_is_told_until_the_mail_is_sent(
        self, make_app: MakeApp, tmp_path: Path
    ) -> None:
        with start_smtp(tmp_path) as smtp:
            app = make_app(mail_url=smtp.url)
            sender, told = MailSender(app), Told(app, "mail")
            smtp.stop()
            Client(app).sign_up()
            sender.take_turn()
            state = "the mail server is out of reach or refuses"
            assert (told.state(), told.causes()) == (state, {"mail_server"})
            # Nothing is due meanwhile, which is no success.
            sender.take_turn()
            assert told.state() == state
            smtp.start()
            with later():
                sender.take_turn()
            assert (told.state(), told.causes()) == ("ok", set())
            assert len(smtp.deliveries) == 1

    def test_a_folder_that_cannot_be_written_is_told(self, make_app: MakeApp) -> None:
        app = make_app()
        folder = runtime_of(app).settings.instance_dir / "outbox"
        folder.write_text("a file in its place")
        sender, told = MailSender(app), Told(app, "mail")
        Client(app).sign_up()
        sender.take_turn()
        state = "the folder outbox/ cannot be written"
        assert (told.state(), told.causes()) == (state, {"mail_folder"})
        folder.unlink()
        with later():
            sender.take_turn()
        assert told.state() == "ok"


def test_the_log_has_a_line_at_each_change_and_in_ten_seconds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [50.0]
    monkeypatch.setattr(troubles, "time", type("Time", (), {"monotonic": lambda: now[0]}))
    work = troubles.Work("mail", "mail was not sent")
    for seconds in (0, 1, 1, 7.9, 0.1, 1):
        now[0] += seconds
        work.note(troubles.MAIL_SERVER)
    assert len(caplog.records) == 2
    work.note(troubles.SEALS)
    work.note(None)
    work.note(troubles.SEALS)
    work.note(None)
    assert [record.__dict__["cause"] for record in caplog.records[2:]] == [
        "sealed with a secret that is not known"
    ] * 2


def test_every_cause_has_its_words_and_its_series() -> None:
    assert set(troubles._WORDS) == set(CAUSES)
    assert {fault.label for fault in DatabaseFault} < set(CAUSES)
