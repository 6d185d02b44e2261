"""The migrations make exactly the tables that the models describe, on both databases."""

import ast
import re
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Column, Integer, MetaData, Table

from ragauth.extensions import db
from ragauth.models.database_probe import known_revisions
from tests.cases import for_each
from tests.clients import Client, ok

pytestmark = pytest.mark.both_databases


def _differences(app: Flask, metadata: MetaData) -> list[Any]:
    """What a migration would have to change for the database to fit."""
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))


def test_a_migrated_database_fits_the_models(app: Flask) -> None:
    assert len(db.metadata.tables) >= 5
    assert _differences(app, db.metadata) == []


def test_a_model_that_no_migration_knows_is_found(app: Flask) -> None:
    changed = MetaData()
    for table in db.metadata.sorted_tables:
        table.to_metadata(changed)
    Table("forgotten", changed, Column("id", Integer, primary_key=True))
    changed.tables["agents"].append_column(Column("colour", Integer))
    changes = {(change[0], change[-1].name) for change in _differences(app, changed)}
    assert changes == {("add_table", "forgotten"), ("add_column", "colour")}


def test_the_migrations_are_one_line_without_a_branch(sqlite_app: Flask) -> None:
    scripts = ScriptDirectory(sqlite_app.extensions["migrate"].directory)
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    # The service reads them from the names of their files.
    assert [each.revision for each in scripts.walk_revisions()][::-1] == list(known_revisions())


# What the version before does not notice; a constraint or a type that changes, it may.
_ADDING = {"create_table", "create_index", "add_column", "bulk_insert", "execute"}
_FORMS = {"batch_alter_table", "f", "Column", "uuid4", "get_bind"}
# All that is older was made before two versions had to serve side by side.
_FIRST_ROLLING = "0003"


def _breaks_the_version_before(source: str) -> list[str]:
    """What `upgrade` does that a version which does not know of it would stumble over."""
    (upgrade,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    )
    faults = []
    for call in ast.walk(upgrade):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        name, owner = call.func.attr, ast.unparse(call.func.value)
        if owner in ("op", "batch_op") and name not in _ADDING | _FORMS:
            faults.append(name)
        if name == "execute" and re.search(r"\b(DROP|RENAME|ALTER)\b", ast.unparse(call), re.I):
            faults.append("execute")
        if name == "add_column":
            column = ast.unparse(call)
            if "nullable=True" not in column and "server_default" not in column:
                faults.append("add_column without a default")
    return faults


def test_a_migration_only_adds(sqlite_app: Flask) -> None:
    """The version before serves on while the new one takes its place."""
    scripts = ScriptDirectory(sqlite_app.extensions["migrate"].directory)
    rolling = [each for each in scripts.walk_revisions() if each.revision >= _FIRST_ROLLING]
    assert len(rolling) >= 2
    for each in rolling:
        assert _breaks_the_version_before(Path(each.path).read_text(encoding="utf-8")) == []


@for_each(
    "line",
    [
        "op.drop_table('agents')",
        "batch_op.drop_column('name')",
        "batch_op.alter_column('name', nullable=False)",
        "batch_op.create_unique_constraint('one', ['name'])",
        "op.rename_table('a', 'b')",
        "op.execute('ALTER TABLE agents DROP COLUMN name')",
        "op.add_column('agents', sa.Column('colour', sa.Integer(), nullable=False))",
    ],
)
def test_one_that_takes_away_is_found(line: str) -> None:
    assert len(_breaks_the_version_before(f"def upgrade():\n    {line}\n")) == 1


def test_every_migration_can_be_taken_back_and_made_again(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()
        try:
            flask_migrate.downgrade(revision="base")
            assert _differences(app, MetaData()) == []
        finally:
            flask_migrate.upgrade()
    assert _differences(app, db.metadata) == []


def test_a_session_outlives_the_columns_that_say_who_spent_its_token(
    app: Flask, client: Client
) -> None:
    """Taking 0003 back copies the table on SQLite; what hangs on it must not be lost."""
    member = client.sign_up()
    refresh = {"refresh_token": member.refresh_token}
    pair = ok(client.post("/api/auth/token/refresh", refresh))
    with app.app_context():
        db.engine.dispose()
        try:
            flask_migrate.downgrade(revision="0002")
        finally:
            flask_migrate.upgrade()
    ok(client.as_user(pair["token"]).get("/api/auth/me"))
    ok(client.post("/api/auth/token/refresh", {"refresh_token": pair["refresh_token"]}))
