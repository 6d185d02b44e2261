"""Indexes of a migration are made while the version before serves on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import flask_migrate
import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from ragauth.extensions import db
from tests.runtime import runtime_of
from tests.waiting import wait_until

INSERT = text(
    "INSERT INTO events (id, name, at, details)"
    " VALUES (gen_random_uuid(), 'account:login_failed', now(), '{}')"
)
BUILDS = """
    SELECT count(*) FROM pg_stat_activity
     WHERE query LIKE 'CREATE INDEX CONCURRENTLY ix_events_%' AND wait_event_type = 'Lock'
"""
INVALID = text(
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('ix_events_name_id')"
)
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_events_name_id')"


@contextmanager
def _one_before(app: Flask) -> Iterator[None]:
    """The schema without the indexes; with all of it in the end."""
    with app.app_context():
        db.engine.dispose()
        flask_migrate.downgrade(revision="0004")
        try:
            yield
        finally:
            flask_migrate.upgrade()


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_writer_is_not_held_up_by_an_index_that_is_being_made(app: Flask) -> None:
    def upgrade() -> None:
        with app.app_context():
            flask_migrate.upgrade()

    migrating = threading.Thread(target=upgrade)
    with _one_before(app), db.engine.connect() as early, db.engine.connect() as late:
        # The index of this table waits for whoever writes to it.
        early.execute(INSERT)
        migrating.start()
        # In a transaction it would see the same activity again and again.
        with psycopg.connect(runtime_of(app).settings.database_url, autocommit=True) as watching:
            wait_until(lambda: watching.execute(BUILDS).fetchone() == (1,))
            late.execute(text("SET LOCAL lock_timeout = 2000"))
            late.execute(INSERT)
            late.rollback()
            early.rollback()
            migrating.join()
            assert watching.execute(VALID).fetchone() == (True,)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_an_index_that_broke_off_is_made_again(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()
        flask_migrate.stamp(revision="0004")
        with db.engine.begin() as connection:
            connection.execute(INVALID)
        flask_migrate.upgrade(revision="0005")
        flask_migrate.stamp()
        with db.engine.connect() as connection:
            assert connection.scalar(text(VALID))
