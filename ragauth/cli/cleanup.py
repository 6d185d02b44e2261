"""Deletes rows that are no longer needed."""

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
from ragauth.services.accounts import confirmations, limit_notices
from ragauth.services.operators import events, idempotent_calls, webhooks, wrong_clock
from ragauth.services.sessions import sessions, signing_key_rotation

# A batch takes a tenth of a second on SQLite. Each one changes pages all over an index by account,
# so fewer of them write less.
_BATCH = 10_000


@click.command("cleanup", cls=Command)
@click.option(
    "--keep-days",
    default=30,
    show_default=True,
    type=click.IntRange(min=0),
    help="How long dead sessions, and failed logins of unknown accounts, are kept.",
)
@as_json_option
@with_appcontext
def cleanup(keep_days: int, as_json: bool) -> None:
    """Delete what is no longer needed, in batches that never lock the database for long.

    Dead sessions, expired mail tokens, events without an account and retired signing keys are
    deleted after --keep-days, all other events after RAGAUTH_EVENT_DAYS, deliveries to webhooks
    after 30 days, and after 40 days the notes that an owner was told of a limit. Answers to calls
    with an Idempotency-Key are deleted after 24 hours. Signing keys whose last token has expired
    are retired. Sessions and tokens that were made while the clock was ahead are ended. Run it once
    a day, but not while the clock is wrong.
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
            "deleted_limit_notices": _delete_all(
                limit_notices.delete_old_notices, clock.now() - limit_notices.KEPT
            ),
            "deleted_webhook_deliveries": _delete_all(
                webhooks.delete_old_deliveries, clock.now() - webhooks.KEPT
            ),
            "deleted_idempotent_calls": _delete_all(
                idempotent_calls.delete_old_calls, clock.now() - idempotent_calls.KEPT
            ),
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
    """Delete in batches until one is not full; yields the number of rows of each."""
    while True:
        with one_line_faults():
            deleted = delete(before=before, limit=_BATCH)
        yield deleted
        if deleted < _BATCH:
            return
