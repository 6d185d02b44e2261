"""The migrations make exactly the tables that the models describe, on both databases."""

from typing import Any

import flask_migrate
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Column, Integer, MetaData, Table

from ragauth.extensions import db
from ragauth.models.database_probe import known_revisions
from tests.clients import Client, ok


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
