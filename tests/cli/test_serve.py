"""`serve` migrates the embedded database, and then gives its process to gunicorn."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask

from ragauth.config import Settings
from ragauth.database_faults import DatabaseFault
from ragauth.services.operators.readiness import database_fault
from tests.applications import make_settings, running_app
from tests.cli.conftest import Commands
from tests.servers.postgres import PostgresServer


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that took the place of this process."""
    lines: list[list[str]] = []

    def execve(_path: str, arguments: list[str], _environment: dict[str, str]) -> None:
        lines.append(arguments[1:])

    monkeypatch.setattr(os, "execve", execve)
    return lines


@pytest.fixture
def empty_postgres(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Settings]:
    name = f"serve_{uuid4().hex}"
    postgres_server.create_database(name)
    yield make_settings(tmp_path, postgres_server.url(name))
    postgres_server.drop_database(name)


def _fault(app: Flask) -> DatabaseFault | None:
    with app.app_context():
        return database_fault()


def test_an_embedded_database_is_migrated_first(tmp_path: Path, served: list[list[str]]) -> None:
    with running_app(make_settings(tmp_path, f"sqlite:///{tmp_path}/new.db")) as app:
        assert _fault(app) is DatabaseFault.NOT_MIGRATED
        Commands(app).succeed("serve")
        assert _fault(app) is None
        # The second time there is nothing to migrate.
        Commands(app).succeed("serve")
    command = ["-m", "gunicorn", "-c", "python:ragauth.gunicorn_conf", "ragauth:create_app()"]
    assert served == [command] * 2


def test_postgres_is_left_to_the_step_that_migrates_it(
    empty_postgres: Settings, served: list[list[str]]
) -> None:
    with running_app(empty_postgres) as app:
        Commands(app).succeed("serve")
        assert _fault(app) is DatabaseFault.NOT_MIGRATED
    assert len(served) == 1


def test_a_fault_that_no_migration_repairs_is_left_to_the_server(
    tmp_path: Path, served: list[list[str]]
) -> None:
    (tmp_path / "other.db").write_text("no database")
    with running_app(make_settings(tmp_path, f"sqlite:///{tmp_path}/other.db")) as app:
        assert _fault(app) is DatabaseFault.DAMAGED
        Commands(app).succeed("serve")
    # It starts, says what is wrong, and answers 503 until it is repaired.
    assert len(served) == 1
