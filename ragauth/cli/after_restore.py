"""Cleans up once after a backup was restored, before the service starts."""

import json
from collections.abc import Iterator
from typing import IO, Any

import click
from flask.cli import with_appcontext
from marshmallow import EXCLUDE, ValidationError

from ragauth.cli.output import (
    Command,
    as_json_option,
    confirm,
    one_line_faults,
    print_record,
    print_rows,
    yes_option,
)
from ragauth.clock import format_time
from ragauth.schemas.events import OperatorsEventSchema
from ragauth.security.identifiers import ACCOUNT, encode_id
from ragauth.services.operators import accounts, restoration
from ragauth.services.operators.restoration import PastEvent, Restored

_schema = OperatorsEventSchema(unknown=EXCLUDE)
_LIVES_AGAIN = (
    "It knows nothing of later events: keys that were revoked, passwords that were changed and"
    " accounts that were deleted since then are as they were at the backup."
)
_WITHOUT_HISTORY = (
    "Without --history no key is revoked again. Revoke them by hand, with the help of the log,"
    " or revoke all keys of an account with `keys revoke-all`."
)


@click.command("after-restore", cls=Command)
@click.option(
    "--history",
    type=click.File(encoding="utf-8"),
    help="The output of `events export` from the replaced database; - is standard input.",
)
@yes_option
@as_json_option
@with_appcontext
def after_restore(history: IO[str] | None, yes: bool, as_json: bool) -> None:
    """End what a restored backup brought back to life; run it before the service starts.

    Every session ends, tokens from mails are withdrawn, and waiting mail and webhooks are dropped,
    because they may have been used or sent since the backup. With the history of the replaced
    database, keys that were revoked or replaced since are revoked again, deleted agents and
    accounts are deleted again, and suspended accounts are suspended again. Other events are listed,
    so that you can tell the owners. A second run changes nothing.
    """
    events = list(_read(history)) if history else []
    with one_line_faults():
        backup_at = restoration.newest_event_at()
    known = f"until {format_time(backup_at)}" if backup_at else "of nothing"
    click.echo(f"This database has the history {known}. {_LIVES_AGAIN}", err=True)
    if history is None:
        click.echo(_WITHOUT_HISTORY, err=True)
    confirm(
        "End all sessions, withdraw all tokens from mails, drop all waiting mail and webhooks?",
        yes=yes,
    )
    with one_line_faults():
        done = restoration.clean_up(events)
        record, told = _describe(done), _whom_to_tell(done)
    if as_json:
        print_record({**record, "to_be_told": told}, as_json=True)
        return
    print_record(record, as_json=False)
    if told:
        click.echo("\nHappened after the backup, and is undone now:")
        print_rows(told, ("account_id", "email", "events", "external_id"), as_json=False)


def _read(history: IO[str]) -> Iterator[PastEvent]:
    for number, line in enumerate(history, 1):
        try:
            event = _schema.load(json.loads(line))
        except (ValueError, ValidationError, RecursionError) as error:
            raise click.ClickException(f"line {number} is no event of `events export`") from error
        yield PastEvent(
            event["id"], event["account_id"], event["name"], event["at"], event["details"]
        )


def _describe(done: Restored) -> dict[str, Any]:
    return {
        "backup_at": done.backup_at and format_time(done.backup_at),
        "ended_sessions": done.ended_sessions,
        "withdrawn_tokens": done.withdrawn_tokens,
        "dropped_mails": done.dropped_mails,
        "dropped_webhooks": done.dropped_webhooks,
        "revoked_keys": done.revoked_keys,
        "deleted_agents": done.deleted_agents,
        "suspended_accounts": done.suspended_accounts,
        "deleted_accounts": done.deleted_accounts,
        "live_keys": done.live_keys - done.revoked_keys,
    }


def _whom_to_tell(done: Restored) -> list[dict[str, Any]]:
    owners = accounts.find_many([each for each in done.to_be_told if each is not None])
    rows = []
    for account_id, names in done.to_be_told.items():
        account = None if account_id is None else owners.get(account_id)
        rows.append(
            {
                "account_id": account_id and encode_id(ACCOUNT, account_id),
                # None for an account that was made after the backup, or that is deleted again.
                "email": account and account.email,
                "external_id": account and account.external_id,
                "events": " ".join(sorted(names)),
            }
        )
    return rows
