"""How Alembic runs the migrations: on the application's own database, one run at a time."""

import click
from alembic import context
from flask import current_app
from sqlalchemy import Connection, TypeDecorator, text
from sqlalchemy.exc import SQLAlchemyError

from ragauth.database_faults import (
    DatabaseFault,
    UnusableDatabase,
    describe_database_error,
)
from ragauth.models.database_probe import known_revisions

# Any number, as long as it is always the same: two `db upgrade` at once wait for each other.
_ADVISORY_LOCK = 0x72616761757468

database = current_app.extensions["migrate"].db


def _render_item(kind: str, item: object, _context: object) -> str | bool:
    """A migration names plain types: it must not change when the code's own types do."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


def _configure(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=database.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=_render_item,
    )


def run_migrations() -> None:
    """One transaction for all that is missing.

    On SQLite it starts with BEGIN IMMEDIATE, which lets one run wait for the other. Foreign keys
    are not enforced meanwhile: a table that is copied to change it would lose its children.
    """
    with database.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if not is_sqlite:
                    # A snapshot that is kept would hold up what makes an index beside it.
                    connection.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
                    connection.execute(text("SET LOCAL statement_timeout = 0"))
                    connection.execute(text("SET LOCAL lock_timeout = 0"))
                    connection.execute(
                        text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK}
                    )
                _configure(connection)
                if not {*context.get_context().get_current_heads()} <= {*known_revisions()}:
                    raise UnusableDatabase(DatabaseFault.OTHER_SCHEMA)
                with context.begin_transaction():
                    context.run_migrations()
        finally:
            if is_sqlite:
                connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=ON")


if context.is_offline_mode():
    raise SystemExit("ragauth migrates a database that it can reach; there is no offline mode")
try:
    run_migrations()
except SQLAlchemyError as error:
    # One line for every `db …`, without the driver's text, which may hold a secret.
    raise click.ClickException(describe_database_error(error)) from error
