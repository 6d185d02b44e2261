"""Forgetting what nobody can use any more."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext

from ragauth import clock
from ragauth.cli.output import as_json_option, command_transaction, print_record, show_progress
from ragauth.services import audit, sessions

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
    """Delete dead sessions, and events of no account, in batches that never hold the database."""
    before = clock.now() - timedelta(days=keep_days)
    print_record(
        {
            "deleted_sessions": _delete_all(sessions.delete_dead_sessions, before),
            "deleted_events": _delete_all(audit.delete_nobodys_events, before),
        },
        as_json=as_json,
    )


def _delete_all(delete: Callable[..., int], before: datetime) -> int:
    label = delete.__name__.replace("_", " ")
    return sum(show_progress(_batches(delete, before), label))


def _batches(delete: Callable[..., int], before: datetime) -> Iterator[int]:
    """How many rows each batch deleted, until one is not full."""
    while True:
        with command_transaction():
            deleted = delete(before=before, limit=_BATCH)
        yield deleted
        if deleted < _BATCH:
            return
