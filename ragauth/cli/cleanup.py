"""Forgetting what nobody can use any more."""

from datetime import timedelta

import click
from flask.cli import with_appcontext

from ragauth import clock
from ragauth.cli.output import as_json_option, command_transaction, print_record
from ragauth.services import sessions

_BATCH = 1_000


@click.command("cleanup")
@click.option(
    "--keep-days",
    default=30,
    show_default=True,
    type=click.IntRange(min=0),
    help="How long dead sessions are remembered.",
)
@as_json_option
@with_appcontext
def cleanup(keep_days: int, as_json: bool) -> None:
    """Delete dead sessions, in batches that never hold the database for long."""
    before = clock.now() - timedelta(days=keep_days)
    deleted = 0
    while True:
        with command_transaction():
            batch = sessions.delete_dead_sessions(before=before, limit=_BATCH)
        deleted += batch
        if batch < _BATCH:
            break
    print_record({"deleted_sessions": deleted}, as_json=as_json)
