"""A database that is empty or gone is a sentence, not a stack."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.applications import make_settings, running_app
from tests.cli.conftest import Commands
from tests.servers.postgres import PostgresServer

_COMMANDS = [
    ("accounts", "show", "ada@example.com"),
    ("accounts", "suspend", "ada@example.com"),
    ("service-keys", "list"),
    ("service-keys", "create", "--name", "gateway", "--scope", "verify"),
    ("signing-keys", "list"),
    ("signing-keys", "rotate"),
    ("cleanup",),
    ("mail", "send"),
]
_MIGRATIONS = [("db", "upgrade"), ("db", "current")]


def test_a_database_without_tables_is_told_with_the_way_out(tmp_path: Path) -> None:
    with running_app(make_settings(tmp_path, f"sqlite:///{tmp_path}/empty.db")) as app:
        for arguments in _COMMANDS:
            line = Commands(app).fail(*arguments)
            told = "the database is not migrated: run `flask --app wsgi db upgrade`"
            assert line.startswith(told), arguments


def test_a_postgres_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://ragauth:a-password@127.0.0.1:1/ragauth"
    with running_app(make_settings(tmp_path, url)) as app:
        for arguments in (*_COMMANDS, *_MIGRATIONS):
            line = Commands(app).fail(*arguments)
            assert line.startswith("the database did not answer"), arguments
            assert "a-password" not in line, arguments


def test_a_database_that_does_not_exist_is_told(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    with running_app(make_settings(tmp_path, postgres_server.url("nothing"))) as app:
        for arguments in (_COMMANDS[0], *_MIGRATIONS):
            told = Commands(app).fail(*arguments)
            assert told == "the database: there is no such database", arguments


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE TABLE accounts (x INTEGER)", "another version's of ragauth, or another program's"),
        (
            "CREATE TABLE alembic_version (version_num VARCHAR(32));"
            " INSERT INTO alembic_version VALUES ('another')",
            "another version's of ragauth, or another program's",
        ),
    ],
    ids=["tables", "revisions"],
)
def test_another_programs_database_is_left_as_it_is(
    tmp_path: Path, statement: str, words: str
) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statement)
        with running_app(make_settings(tmp_path, f"sqlite:///{path}")) as app:
            assert words in Commands(app).fail("db", "upgrade")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert tables == {"alembic_version" if "alembic" in statement else "accounts"}


def test_a_search_path_that_leads_nowhere_is_told(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    url = f"{postgres_server.url('postgres')}?options=-c%20search_path%3Dnowhere"
    with running_app(make_settings(tmp_path, url)) as app:
        assert "CREATE SCHEMA" in Commands(app).fail("db", "upgrade")
