"""The security history of all accounts, as JSON lines for log collectors."""

import json
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import click

from ragauth.cli.output import Group, one_line_faults
from ragauth.cli.parameters import FieldType, get_account
from ragauth.models import Event
from ragauth.schemas.events import OperatorsEventSchema
from ragauth.schemas.fields import Id, Moment
from ragauth.security.identifiers import ACCOUNT, EXTERNAL
from ragauth.services.audit import EventName
from ragauth.services.operators import events as event_history
from ragauth.services.operators.events import EventFilter, Follower

POLL_SECONDS = 1.0

events = Group("events", help="Read the security history of all accounts, as JSON lines.")

_schema = OperatorsEventSchema()
_ACCOUNT_ID = FieldType("account", Id(ACCOUNT))
_MOMENT = FieldType("time", Moment())


class _Account(click.ParamType[Any]):
    """The id of an account, also of a deleted one, or another name of an existing account."""

    name = "account"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        is_other_name = "@" in value or value.startswith(EXTERNAL)
        return value if is_other_name else _ACCOUNT_ID.convert(value, param, ctx)


def _filtered(command: Callable[..., None]) -> Callable[..., None]:
    """The options that both commands have."""
    command = click.option(
        "--name",
        type=click.Choice([name.value for name in EventName]),
        help="Only events of this name.",
    )(command)
    return click.option(
        "--account",
        type=_Account(),
        help="Only events of this account: acc_ id, e-mail, or ext: and its external id.",
    )(command)


@events.command("export")
@click.option("--since", type=_MOMENT, help="Events from this RFC 3339 time on.")
@click.option("--until", type=_MOMENT, help="Events before this RFC 3339 time.")
@_filtered
def export(
    since: datetime | None,
    until: datetime | None,
    account: uuid.UUID | str | None,
    name: str | None,
) -> None:
    """Print events, oldest first."""
    with one_line_faults():
        _print(event_history.read_events(_filter(account, name), since=since, until=until))


@events.command("tail")
@click.option(
    "-n",
    "count",
    default=10,
    show_default=True,
    type=click.IntRange(0, 100_000),
    help="How many events.",
)
@click.option("-f", "--follow", is_flag=True, help="Continue with new events.")
@_filtered
def tail(count: int, follow: bool, account: uuid.UUID | str | None, name: str | None) -> None:
    """Print the latest events, oldest first."""
    with one_line_faults():
        which = _filter(account, name)
        if not follow:
            _print(event_history.read_latest(which, limit=count))
            return
        follower = Follower(which)
        _print(follower.read_latest(count))
        try:
            while True:
                _print(follower.read())
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            # Ctrl-C ends `--follow`.
            return


def _filter(account: uuid.UUID | str | None, name: str | None) -> EventFilter:
    if not isinstance(account, str):
        return EventFilter(account, name)
    return EventFilter(get_account(account).id, name)


def _print(found: Iterable[Event]) -> None:
    # JSON is escaped to ASCII, so that a client's text cannot begin a line or move a terminal's
    # cursor.
    for event in found:
        click.echo(json.dumps(_schema.dump(event)))
