"""Forgetting what nobody can use any more."""

from collections.abc import Callable
from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext

from ragauth import clock
from ragauth.cli.output import as_json_option, command_transaction, print_record
from ragauth.services import audit, confirmations, sessions

_BATCH = 1_000


@click.command("cleanup")
@click.option(
    "--keep-days",
    default=30,
    show_default=True,
    type=click.IntRange(min=0),
    help="How long they are remembered.",
)
@as_json_option
@with_appcontext
def cleanup(keep_days: int, as_json: bool) -> None:
    """Delete what nobody can use any more, in batches that never hold the database: dead sessions,
    expired mail tokens, events of no account."""
    before = clock.now() - timedelta(days=keep_days)
    print_record(
        {
            "deleted_sessions": _delete_all(sessions.delete_dead_sessions, before),
            "deleted_confirmations": _delete_all(confirmations.delete_expired_tokens, before),
            "deleted_events": _delete_all(audit.delete_nobodys_events, before),
        },
        as_json=as_json,
    )


def _delete_all(delete: Callable[..., int], before: datetime) -> int:
    deleted = 0
    while True:
        with command_transaction():
            batch = delete(before=before, limit=_BATCH)
        deleted += batch
        if batch < _BATCH:
            return deleted
