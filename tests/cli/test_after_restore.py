"""`after-restore`: a backup that was restored knows nothing of what was revoked since."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import time_machine
from flask import Flask

from ragauth import clock
from ragauth.config import Settings
from tests.applications import make_testing_app
from tests.cli.conftest import Commands
from tests.clients import PASSWORD, Client, Member, error, ok
from tests.factories.accounts import set_plan, suspend
from tests.factories.mails import receive_mail
from tests.runtime import runtime_of
from tests.servers.postgres import PostgresServer

Restore = Callable[[Settings], Flask]


@dataclass
class Copier:
    """Copies the database of an application as it is, for one that is to be restored."""

    app: Flask
    postgres: PostgresServer | None
    folder: Path

    def backup(self) -> Settings:
        settings: Settings = runtime_of(self.app).settings
        runtime_of(self.app).close()
        if self.postgres is None:
            target = self.folder / f"{uuid4().hex}.db"
            Commands(self.app).succeed("backup", str(target))
            return replace(settings, database_url=f"sqlite:///{target}")
        name, ours = f"restored_{uuid4().hex}", settings.database_url.rpartition("/")[2]
        self.postgres.end_sessions(ours)
        self.postgres.create_database(name, template=ours)
        return replace(settings, database_url=self.postgres.url(name))


@pytest.fixture
def copier(app: Flask, database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Copier:
    postgres = request.getfixturevalue("postgres_server") if database == "postgres" else None
    return Copier(app, postgres, tmp_path)


@pytest.fixture
def restore(app: Flask) -> Iterator[Restore]:
    """Start what a backup brought back; its counters are those that went on."""
    with ExitStack() as started:

        def start(settings: Settings) -> Flask:
            # No process opens the counters twice.
            runtime_of(app).close()
            application = make_testing_app(settings)
            started.callback(runtime_of(application).close)
            return application

        yield start


def history_of(app: Flask, folder: Path) -> Path:
    path = folder / "history.jsonl"
    path.write_text(Commands(app).succeed("events", "export").output)
    return path


def key_works(app: Flask, key: str) -> bool:
    return Client(app).as_key(key).get("/api/v1/me").status_code == 200


class TestWithTheHistory:
    @pytest.mark.both_databases
    def test_what_was_revoked_since_is_dead_again(
        self,
        app: Flask,
        client: Client,
        copier: Copier,
        restore: Restore,
        tmp_path: Path,
    ) -> None:
        """S39"""
        member, other, gone = client.sign_up(), client.sign_up(), client.sign_up()
        set_plan(member, "pro")
        kept, revoked, rotated, in_grace = [
            member.create_key(name=name) for name in ("kept", "revoked", "rotated", "in grace")
        ]
        agent = member.create_agent(name="an agent")
        of_agent = ok(
            member.client.post("/api/auth/api-keys", {"name": "bound", "agent_id": agent["id"]}),
            201,
        )
        backup = copier.backup()
        ok(member.client.delete(f"/api/auth/api-keys/{revoked['id']}"), 204)
        for key, seconds in ((rotated, 0), (in_grace, 3600)):
            path = f"/api/auth/api-keys/{key['id']}/rotate"
            ok(member.client.post(path, {"grace_seconds": seconds}), 201)
        ok(member.client.delete(f"/api/agents/{agent['id']}"), 204)
        ok(gone.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
        suspend(other)
        history = history_of(app, tmp_path)
        restored = restore(backup)
        dead = [key["api_key"] for key in (revoked, rotated, of_agent)]
        dead += [other.api_key, gone.api_key]
        # As they are without the command: alive.
        assert all(key_works(restored, key) for key in dead)
        outcome = Commands(restored).run(
            "after-restore", "--history", str(history), "--yes", "--json"
        )
        assert outcome.exit_code == 0, outcome.errors
        assert [key_works(restored, key) for key in dead] == [False] * 5
        assert all(key_works(restored, key["api_key"]) for key in (kept, in_grace))
        with time_machine.travel(clock.now() + timedelta(hours=1), tick=False):
            assert not key_works(restored, in_grace["api_key"])
            assert key_works(restored, kept["api_key"])
        done = outcome.json
        counted = ("revoked_keys", "deleted_agents", "suspended_accounts", "deleted_accounts")
        assert {name: done[name] for name in counted} == {
            "revoked_keys": 3,
            "deleted_agents": 1,
            "suspended_accounts": 1,
            "deleted_accounts": 1,
        }
        told = {row["account_id"]: row for row in done["to_be_told"]}
        assert told[member.id] == {
            "account_id": member.id,
            "email": member.email,
            "external_id": None,
            "events": "api_key:rotated",
        }
        again = (
            Commands(restored)
            .run("after-restore", "--history", str(history), "--yes", "--json")
            .json
        )
        assert {again[name] for name in (*counted, "ended_sessions")} == {0}

    def test_a_line_that_is_no_event_changes_nothing(
        self, client: Client, commands: Commands, tmp_path: Path
    ) -> None:
        member = client.sign_up()
        path = tmp_path / "history"
        path.write_text('{"name": "api_key:revoked"}\n')
        assert commands.fail("after-restore", "--history", str(path), "--yes") == (
            "line 1 is no event of `events export`"
        )
        ok(member.client.get("/api/auth/me"))


class TestWithoutAHistory:
    @pytest.mark.both_databases
    def test_sessions_and_mailed_tokens_end_and_it_is_told_that_keys_live_again(
        self,
        app: Flask,
        client: Client,
        copier: Copier,
        restore: Restore,
    ) -> None:
        """S39"""
        member = client.sign_up()
        (mail,) = receive_mail(app)
        key = member.create_key(name="a key")
        ok(client.post("/api/auth/password/forgot", {"email": member.email}), 202)
        backup = copier.backup()
        ok(member.client.post("/api/auth/logout"), 204)
        restored = restore(backup)
        outcome = Commands(restored).run("after-restore", "--yes", "--json")
        assert outcome.exit_code == 0, outcome.errors
        (newest,) = Commands(restored).succeed("events", "tail", "-n", "1").output.splitlines()
        assert f"until {json.loads(newest)['at']}" in outcome.errors
        assert "keys that were revoked" in outcome.errors
        assert "keys revoke-all" in outcome.errors
        assert outcome.json["ended_sessions"] == 1
        assert outcome.json["withdrawn_tokens"] == 1
        assert outcome.json["dropped_mails"] == 1
        assert outcome.json["live_keys"] == 2
        again = Client(restored)
        error(
            again.as_user(member.token).get("/api/auth/me"), 401, "AUTHENTICATION_ERROR", "revoked"
        )
        refused = again.post("/api/auth/token/refresh", {"refresh_token": member.refresh_token})
        error(refused, 401, "AUTHENTICATION_ERROR", "revoked")
        refused = again.post("/api/auth/email/verify", {"token": mail.token})
        error(refused, 401, "AUTHENTICATION_ERROR", "invalid")
        assert key_works(restored, key["api_key"])
        ok(again.post("/api/auth/login", {"email": member.email, "password": PASSWORD}))

    def test_it_asks_first(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        outcome = commands.run("after-restore")
        assert outcome.exit_code == 2
        assert "confirm with --yes" in outcome.errors
        ok(member.client.get("/api/auth/me"))


@pytest.mark.both_databases
def test_counters_go_on_and_their_totals_are_saved_where_they_are_larger(
    app: Flask, client: Client, copier: Copier, restore: Restore
) -> None:
    """S39: nothing that was used is given back while the counters live."""
    member = client.sign_up()
    for _ in range(2):
        assert authorized(app, member)
    assert used(member) == 2
    backup = copier.backup()
    for _ in range(3):
        assert authorized(app, member)
    assert used(member) == 5
    restored = restore(backup)
    assert Commands(restored).run("after-restore", "--yes").exit_code == 0
    assert authorized(restored, member)
    anew = Client(restored)
    again = replace(member, client=anew.as_user(anew.log_in(member)["token"]))
    # The day's whole total, also what the backup did not have.
    assert used(again) == 6


def authorized(app: Flask, member: Member) -> bool:
    return Client(app).as_key(member.api_key).get("/api/v1/authorize").status_code == 200


def used(member: Member) -> int:
    return sum(day["requests"] for day in ok(member.client.get("/api/auth/usage")))
