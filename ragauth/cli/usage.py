"""Who uses how much."""

from typing import Literal

import click

from ragauth.cli.output import Group, as_json_option, one_line_faults, print_rows
from ragauth.cli.paging import limit_option, tell_of_more
from ragauth.security.identifiers import ACCOUNT, encode_id
from ragauth.services.limits import usage as service

usage = Group("usage", help="See what accounts use.")

_COLUMNS = ("account_id", "requests", "units", "plan", "email")


@usage.command("top")
@click.option(
    "--by",
    default="requests",
    show_default=True,
    type=click.Choice(("requests", "units")),
    help="What to compare; a request may cost any number of units.",
)
@click.option(
    "--days",
    default=30,
    show_default=True,
    type=click.IntRange(1, 3_660),
    help="How many days, today included (UTC).",
)
@limit_option
@as_json_option
def top(by: Literal["requests", "units"], days: int, limit: int, as_json: bool) -> None:
    """List the accounts that used most, live and test keys together."""
    with one_line_faults():
        found = service.list_top_accounts(by=by, days=days, limit=limit or None)
    rows = [
        {
            "account_id": encode_id(ACCOUNT, account.account_id),
            "email": account.email,
            "plan": account.plan,
            "requests": account.requests,
            "units": account.units,
        }
        for account in found.accounts
    ]
    print_rows(rows, _COLUMNS, as_json=as_json)
    if len(rows) < found.used:
        tell_of_more(len(rows), found.used, after=None, as_json=as_json)
