"""`backup`: one consistent file of a SQLite database; tests/e2e restores it."""

import shutil
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from ragauth.config import Settings
from tests.applications import make_settings, running_app
from tests.cli.conftest import Commands
from tests.clients import Client
from tests.runtime import runtime_of


@pytest.fixture
def commands(sqlite_app: Flask) -> Commands:
    return Commands(sqlite_app)


def test_the_copy_is_one_whole_file_for_its_owner_alone(
    commands: Commands, sqlite_app: Flask, tmp_path: Path
) -> None:
    member = Client(sqlite_app).sign_up()
    target = tmp_path / "copy.db"
    done = commands.succeed("backup", str(target), "--json").json
    assert done == {"file": str(target), "bytes": target.stat().st_size}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    # What was written last is in the `-wal` of the original; the copy has it and needs none.
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        emails = {email for (email,) in copy.execute("SELECT email FROM accounts")}
    assert member.email in emails
    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]


def test_no_file_is_overwritten(commands: Commands, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    assert commands.fail("backup", str(target)) == f"{target} is there already"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    assert commands.fail("backup", str(link)) == f"{link} is there already"
    assert target.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "precious"]


def test_a_folder_that_is_not_there_is_one_line(commands: Commands, tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    assert commands.fail("backup", str(folder / "copy.db")) == (
        f"cannot write to {folder}: No such file or directory"
    )


def test_a_database_that_is_not_there_is_no_empty_copy(tmp_path: Path) -> None:
    with running_app(make_settings(tmp_path, f"sqlite:///{tmp_path / 'none.db'}")) as app:
        message = Commands(app).fail("backup", str(tmp_path / "copy.db"))
    assert "unable to open database file" in message
    assert not any(path.suffix == ".db" for path in tmp_path.iterdir())


def test_a_damaged_database_is_no_backup(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "ragauth.db"
    shutil.copy(sqlite_template, path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 20_000)
    with running_app(make_settings(tmp_path, f"sqlite:///{path}")) as app:
        assert "cannot copy" in Commands(app).fail("backup", str(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()


def test_with_postgres_it_says_what_does_it(postgres_app: Flask, tmp_path: Path) -> None:
    settings: Settings = runtime_of(postgres_app).settings
    target = tmp_path / "the dump"
    fault = Commands(postgres_app).misuse("backup", str(target))
    assert f"pg_dump --format=custom '--file={target}' --dbname=postgresql://" in fault
    assert settings.database_url.rpartition("/")[2] in fault
    assert not target.exists()


def test_behind_a_pooler_it_says_that_the_dump_goes_past_it(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, "postgresql://ragauth@db.example.com/ragauth")
    with running_app(replace(settings, database_pooler="transaction")) as app:
        assert "not through its pooler with: pg_dump" in Commands(app).misuse("backup", "dump")


def test_the_password_of_postgres_is_not_told(tmp_path: Path) -> None:
    """S27"""
    url = "postgresql://ragauth:very%20secret@db.example.com/ragauth?password=secret"
    with running_app(make_settings(tmp_path, url)) as app:
        fault = Commands(app).misuse("backup", "dump")
    assert "--dbname=postgresql://ragauth@db.example.com/ragauth" in fault
    assert "secret" not in fault
