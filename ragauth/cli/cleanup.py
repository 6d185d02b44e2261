"""Deletes rows that are of no use any more."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext

from ragauth import clock
from ragauth.cli.output import (
    Command,
    as_json_option,
    one_line_faults,
    print_record,
    show_progress,
)
from ragauth.extensions import settings
from ragauth.services.accounts import confirmations
from ragauth.services.operators import events, wrong_clock
from ragauth.services.sessions import sessions, signing_key_rotation

# A twentieth of a second on SQLite, whose pages five times as many rows share.
_BATCH = 5_000


@click.command("cleanup", cls=Command)
@click.option(
    "--keep-days",
    default=30,
    show_default=True,
    type=click.IntRange(min=0),
    help="How long dead sessions, and failed logins of unknown accounts, are remembered.",
)
@as_json_option
@with_appcontext
def cleanup(keep_days: int, as_json: bool) -> None:
    """Delete what nobody needs any more, in batches that never hold the database for long.

    Dead sessions, expired mail tokens, events of no account and retired signing keys go after
    --keep-days, every other event after RAGAUTH_EVENT_DAYS. Signing keys whose last token has
    ended are retired, and what a clock that was ahead has begun is ended. Run it once a day, and
    not while the clock is wrong.
    """
    before = clock.now() - timedelta(days=keep_days)
    events_before = clock.now() - timedelta(days=settings().event_days)
    deleted_events = _delete_all(events.delete_nobodys_events, before)
    deleted_events += _delete_all(events.delete_old_events, events_before)
    with one_line_faults():
        mended = wrong_clock.mend()
    with one_line_faults():
        retired_signing_keys = signing_key_rotation.retire_spent()
    print_record(
        {
            "deleted_sessions": _delete_all(sessions.delete_dead_sessions, before),
            "deleted_confirmations": _delete_all(confirmations.delete_expired_tokens, before),
            "deleted_events": deleted_events,
            "retired_signing_keys": retired_signing_keys,
            "ended_sessions_of_the_future": mended.sessions,
            "deleted_signing_keys": _delete_all(signing_key_rotation.delete_retired, before),
        },
        as_json=as_json,
    )


def _delete_all(delete: Callable[..., int], before: datetime) -> int:
    label = delete.__name__.replace("_", " ")
    return sum(show_progress(_batches(delete, before), label))


def _batches(delete: Callable[..., int], before: datetime) -> Iterator[int]:
    """How many rows each batch deleted, until one is not full."""
    while True:
        with one_line_faults():
            deleted = delete(before=before, limit=_BATCH)
        yield deleted
        if deleted < _BATCH:
            return
