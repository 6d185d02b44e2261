"""`status`: whether all is well, in one command."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text, update

from ragauth import clock
from ragauth.extensions import db
from ragauth.models import OutboxRow
from tests.applications import make_settings, running_app
from tests.cli.conftest import Commands
from tests.clients import Client


@pytest.mark.both_databases
def test_all_is_well(commands: Commands, client: Client) -> None:
    member = client.sign_up()
    client.log_in(member)
    outcome = commands.run("status", "--json")
    assert outcome.exit_code == 0
    assert outcome.errors == ""
    told = outcome.json
    assert (told["ok"], told["faults"]) == (True, [])
    assert told["database"]["state"] == "ok"
    assert told["database"]["schema"] == told["database"]["newest_schema"]
    assert told["database"]["writable"] is True
    assert told["counters"]["state"] == "ok"
    assert (told["mail"]["kind"], told["mail"]["waiting"]) == ("folder", 1)
    assert told["signing_key"]["age_days"] == 0
    lines = commands.succeed("status").output.splitlines()
    assert lines[-1] == "all is well"
    assert "database" in lines


@pytest.mark.both_databases
def test_mail_that_is_stuck_and_use_that_is_not_saved_are_faults(
    commands: Commands, client: Client, app: Flask
) -> None:
    member = client.sign_up()
    long_ago = clock.now() - timedelta(hours=2)
    with time_machine.travel(long_ago):
        assert member.key_client.get("/api/v1/authorize").status_code == 200
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(update(OutboxRow.__table__).values(created_at=long_ago, attempts=3))
    outcome = commands.run("status", "--json")
    assert outcome.exit_code == 1
    assert [fault.partition(":")[0] for fault in outcome.json["faults"]] == ["mail", "usage"]
    assert (outcome.json["mail"]["waiting"], outcome.json["mail"]["tried_before"]) == (1, 1)
    assert outcome.json["usage"]["waiting"] == 1


@pytest.mark.parametrize("kind", ["unmigrated", "old", "away", "no_redis"])
def test_what_is_wrong_is_told_without_a_secret(
    tmp_path: Path, sqlite_template: Path, kind: str
) -> None:
    url = {
        "unmigrated": f"sqlite:///{tmp_path}/empty.db",
        "away": "postgresql://ragauth:a-password@127.0.0.1:1/ragauth",
    }.get(kind, f"sqlite:///{tmp_path}/ragauth.db")
    (tmp_path / "ragauth.db").write_bytes(sqlite_template.read_bytes())
    settings = make_settings(tmp_path, url)
    if kind == "no_redis":
        settings = replace(settings, redis_url="redis://user:a-password@127.0.0.1:1/0")
    with running_app(settings) as app:
        if kind == "old":
            with app.app_context(), db.engine.begin() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        outcome = Commands(app).run("status")
    assert outcome.exit_code == 1
    assert outcome.errors == ""
    (fault,) = [line for line in outcome.output.splitlines() if line.startswith("FAULT")]
    assert ("redis" if kind == "no_redis" else "database") in fault
    # What an ACL in Redis needs.
    assert bool(re.search(r"ragauth:[0-9a-f]{32}:\*", outcome.output)) == (kind == "no_redis")
    assert ("db upgrade" in fault) == (kind in ("old", "unmigrated"))
    assert "a-password" not in outcome.output
    assert ("postgresql://127.0.0.1:1/ragauth" in outcome.output) == (kind == "away")
