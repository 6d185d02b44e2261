"""A database that is empty or gone is a sentence, not a stack."""

from pathlib import Path

import pytest

from tests.cli.conftest import Commands
from tests.conftest import make_settings, running_app

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


@pytest.mark.parametrize("arguments", _COMMANDS, ids=" ".join)
def test_a_database_without_tables_is_told_with_the_way_out(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with running_app(make_settings(tmp_path, f"sqlite:///{tmp_path}/empty.db")) as app:
        line = Commands(app).fail(*arguments)
    assert line.startswith("the database is not migrated: run `flask --app wsgi db upgrade`")


@pytest.mark.parametrize("arguments", _COMMANDS, ids=" ".join)
def test_a_postgres_that_is_not_there_is_told_without_its_password(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    url = "postgresql://ragauth:a-password@127.0.0.1:1/ragauth"
    with running_app(make_settings(tmp_path, url)) as app:
        line = Commands(app).fail(*arguments)
    assert line.startswith("the database did not answer")
    assert "a-password" not in line
