"""The server, as a command."""

import os
import sys

import click
from flask.cli import with_appcontext

from ragauth.cli.output import Command
from ragauth.config import SettingsError, read_server_settings, server_environment
from ragauth.database_faults import DatabaseFault
from ragauth.extensions import db, settings
from ragauth.place import find_checkout
from ragauth.services.operators.readiness import database_fault

# Only in a checkout the modules are those of the present folder.
_PROGRAM = ("-m", "gunicorn") if find_checkout() else ("-P", "-m", "ragauth.gunicorn_elsewhere")
_CONFIGURED = ("-c", "python:ragauth.gunicorn_conf", "ragauth:create_app()")


@click.command("serve", cls=Command)
@with_appcontext
def serve() -> None:
    """Migrate the embedded database and serve, with gunicorn.

    It listens on HOST and PORT, with WEB_CONCURRENCY processes of WEB_THREADS threads each.
    Postgres is not migrated: other hosts may serve from it, so `db upgrade` is a step of its own.
    gunicorn replaces this process: it gets the signals, and its exit code is this command's.
    """
    try:
        read_server_settings()
        environment = server_environment()
    except SettingsError as error:
        sys.exit(f"ragauth: {error}")
    if settings().uses_sqlite and database_fault() is DatabaseFault.NOT_MIGRATED:
        _migrate()
    db.engine.dispose()
    os.execve(sys.executable, [sys.executable, *_PROGRAM, *_CONFIGURED], environment)  # noqa: S606


def _migrate() -> None:
    from flask_migrate import upgrade  # noqa: PLC0415 - as long a wait as for the rest of the start

    upgrade()
