"""Who uses how much."""

from typing import Any

import click

from ragauth.cli.output import Group, as_json_option, one_line_faults, print_rows
from ragauth.cli.paging import limit_option, tell_of_more
from ragauth.extensions import current_policy
from ragauth.models.usage import UsageOfAccount
from ragauth.schemas.limits import COMPARED
from ragauth.security.identifiers import ACCOUNT, encode_id
from ragauth.services.limits import usage as service

usage = Group("usage", help="See what accounts use.")

_COLUMNS = ("account_id", "requests", "units", "plan", "email", "external_id")


@usage.command("top")
@click.option(
    "--by",
    default="requests",
    show_default=True,
    metavar="requests|units|METER",
    help="What to compare; a request may cost any number of units. A meter is the policy's.",
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
def top(by: str, days: int, limit: int, as_json: bool) -> None:
    """List the accounts that used most, live and test keys together."""
    _require_meter(by)
    with one_line_faults():
        found = service.list_top_accounts(by=by, days=days, limit=limit or None)
    rows = [_describe(account) for account in found.accounts]
    if as_json:
        print_rows(rows, (), as_json=True)
        return
    # A column for each meter that one of them used; a meter may have the name of another column.
    columns = {
        meter: f"use.{meter}" if meter in _COLUMNS else meter
        for meter in sorted({meter for account in found.accounts for meter in account.use})
    }
    for row, account in zip(rows, found.accounts, strict=True):
        row.update((column, account.use.get(meter, 0)) for meter, column in columns.items())
    print_rows(rows, (*_COLUMNS[:3], *columns.values(), *_COLUMNS[3:]), as_json=False)
    if len(rows) < found.used:
        tell_of_more(len(rows), found.used, after=None, as_json=as_json)


def _describe(account: UsageOfAccount) -> dict[str, Any]:
    return {
        "account_id": encode_id(ACCOUNT, account.account_id),
        "email": account.email,
        "external_id": account.external_id,
        "plan": account.plan,
        "requests": account.requests,
        "units": account.units,
        "use": {**account.use},
    }


def _require_meter(by: str) -> None:
    """A fault of the call unless `by` names what can be compared."""
    choices = dict.fromkeys((*COMPARED, *current_policy().meters))
    if by not in choices:
        raise click.BadParameter(
            f"{by!r} is not one of {', '.join(map(repr, choices))}.", param_hint="'--by'"
        )
