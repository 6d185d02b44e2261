"""`cleanup`: what nobody can use any more is forgotten, and nothing else."""

from datetime import datetime, timedelta
from importlib import import_module

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from ragauth import clock, transaction
from ragauth.extensions import db
from ragauth.models import IdempotentCall, LimitNotice, Session, idempotent_calls
from ragauth.models.limit_notices import NoticeName, add_notice
from ragauth.security.identifiers import ACCOUNT, SESSION, decode_id
from tests.cli.conftest import Commands
from tests.clients import Client, Member, ok
from tests.factories.mails import receive_mail


def _session_id(member: Member) -> str:
    (session,) = ok(member.client.get("/api/auth/sessions"))
    session_id: str = session["id"]
    return session_id


def _change(app: Flask, session_id: str, **values: datetime) -> None:
    """Set a session's times, as if it had been there for long."""
    with app.app_context(), db.engine.begin() as connection:
        changed = connection.execute(
            update(Session.__table__)
            .where(Session.__table__.c.id == decode_id(SESSION, session_id))
            .values(values)
        )
        assert changed.rowcount == 1


def _count(app: Flask) -> int:
    with app.app_context(), db.engine.connect() as connection:
        return len(connection.execute(select(Session.__table__.c.id)).all())


class TestSessions:
    @pytest.mark.both_databases
    def test_those_dead_for_longer_than_is_kept_are_deleted(
        self, app: Flask, commands: Commands, client: Client
    ) -> None:
        ended, expired, just_ended, alive = [client.sign_up() for _ in range(4)]
        long_ago = clock.now() - timedelta(days=31)
        _change(app, _session_id(ended), ended_at=long_ago)
        _change(app, _session_id(expired), expires_at=long_ago)
        _change(app, _session_id(just_ended), ended_at=clock.now() - timedelta(days=29))
        deleted = commands.succeed("cleanup", "--json").json["deleted_sessions"]
        assert (deleted, _count(app)) == (2, 2)
        ok(alive.client.get("/api/auth/me"))
        assert commands.succeed("cleanup", "--json").json["deleted_sessions"] == 0

    def test_how_long_they_are_kept_can_be_told(
        self, app: Flask, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        _change(app, _session_id(member), ended_at=clock.now() - timedelta(days=2))
        assert commands.succeed("cleanup", "--keep-days", "3").output.split()[1] == "0"
        assert commands.succeed("cleanup", "--keep-days", "1").output.split()[1] == "1"

    @pytest.mark.both_databases
    def test_more_than_a_batch_is_deleted_in_one_go(
        self,
        app: Flask,
        commands: Commands,
        client: Client,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # The package has a command of the module's name.
        monkeypatch.setattr(import_module("ragauth.cli.cleanup"), "_BATCH", 2)
        for _ in range(5):
            _change(app, _session_id(client.sign_up()), ended_at=clock.now() - timedelta(days=40))
        assert commands.succeed("cleanup", "--json").json["deleted_sessions"] == 5

    def test_a_number_of_days_below_zero_is_refused(self, commands: Commands) -> None:
        assert "--keep-days" in commands.misuse("cleanup", "--keep-days", "-1")


class TestConfirmations:
    @pytest.mark.both_databases
    def test_tokens_expired_for_longer_than_is_kept_are_deleted(
        self, app: Flask, commands: Commands, client: Client
    ) -> None:
        client.sign_up()
        with time_machine.travel(clock.now() + timedelta(days=31, hours=1), tick=False):
            member = client.sign_up()
            report = commands.succeed("cleanup", "--json").json
        assert report["deleted_confirmations"] == 1
        with time_machine.travel(clock.now() + timedelta(days=31, hours=1), tick=False):
            token = next(mail.token for mail in receive_mail(app) if mail.to == member.email)
            ok(client.post("/api/auth/email/verify", {"token": token}), 204)


class TestLimitNotices:
    @pytest.mark.both_databases
    def test_those_of_windows_long_over_are_deleted(
        self, app: Flask, commands: Commands, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """More than a batch, and of one moment; --keep-days does not matter."""
        monkeypatch.setattr(import_module("ragauth.cli.cleanup"), "_BATCH", 2)
        account_id = decode_id(ACCOUNT, client.sign_up().id)
        now = clock.now()
        ages = {41: 3, 39: 2}
        with app.app_context(), transaction.unit_of_work():
            for days, count in ages.items():
                for number in range(count):
                    name = NoticeName(account_id, "live", f"meter{number}", f"day {days}", 80)
                    assert add_notice(name, at=now - timedelta(days=days))
                    assert not add_notice(name, at=now)
        report = commands.succeed("cleanup", "--keep-days", "50", "--json").json
        assert report["deleted_limit_notices"] == 3
        with app.app_context(), transaction.read_only():
            periods = db.session.scalars(select(LimitNotice.period)).all()
        assert periods == ["day 39"] * 2


class TestIdempotentCalls:
    @pytest.mark.both_databases
    def test_their_answers_are_deleted_after_a_day(
        self, app: Flask, commands: Commands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S51. More than a batch; --keep-days does not matter."""
        monkeypatch.setattr(import_module("ragauth.cli.cleanup"), "_BATCH", 2)
        now = clock.now()
        with app.app_context(), transaction.unit_of_work():
            for number, hours in enumerate([25, 25, 30, 48, 24.1, 23.9, 0]):
                at = now - timedelta(hours=hours)
                name = bytes([number]) * 32
                assert idempotent_calls.claim(name, body_digest=b"", at=at, since=at)
        report = commands.succeed("cleanup", "--keep-days", "50", "--json").json
        assert report["deleted_idempotent_calls"] == 5
        with app.app_context(), transaction.read_only():
            left = db.session.scalars(select(IdempotentCall.name)).all()
        assert sorted(left) == [b"\x05" * 32, b"\x06" * 32]
