"""Operators' commands for accounts."""

import secrets
import uuid
from typing import Any

import click
from marshmallow import ValidationError

from ragauth.cli.output import (
    Group,
    as_json_option,
    confirm,
    one_line_faults,
    print_change,
    print_record,
    print_rows,
    yes_option,
)
from ragauth.cli.paging import collect_pages, paged, tell_of_more
from ragauth.cli.parameters import (
    ACCOUNT_ID,
    FieldType,
    account_argument,
    get_account,
    name_of,
)
from ragauth.clock import format_time
from ragauth.errors import InvalidRequest
from ragauth.models import Account
from ragauth.models.accounts import ACTIVE, DELETED, SUSPENDED
from ragauth.policy import FIRST_PLAN, read_window
from ragauth.schemas.account_fields import Email, ExternalId, NewPassword, Username
from ragauth.schemas.api_keys import KeySchema
from ragauth.schemas.base import to_issues
from ragauth.schemas.fields import Name, Text
from ragauth.schemas.internal import InternalAccountSchema
from ragauth.schemas.limits import AccountLimitSchema
from ragauth.services.accounts import second_factors
from ragauth.services.audit import OPERATOR
from ragauth.services.operators import account_sessions
from ragauth.services.operators import accounts as administration
from ragauth.services.operators.account_overview import look_at

accounts = Group("accounts", help="Create, list and administer accounts.")

_COLUMNS = ("id", "email", "plan", "status", "created_at", "username", "external_id")
_SHOWN_KEYS = 20
_NONE, _DEFAULT = "none", "default"
# More digits than any size has; Python's int() refuses thousands.
_TOO_LONG = 20
_KEY_COLUMNS = ("id", "name", "prefix", "is_active", "last_used_at")


@accounts.command("create")
@click.option("--email", type=FieldType("email", Email()), help="The owner's address.")
@click.option(
    "--external-id",
    type=FieldType("external id", ExternalId()),
    help="What you call the account; with this alone, nobody logs in to it.",
)
@click.option(
    "--password",
    type=FieldType("password", NewPassword()),
    help="The password; you are asked for it without one of these three.",
)
@click.option("--generate-password", is_flag=True, help="Generate a password and print it once.")
@click.option(
    "--no-password", is_flag=True, help="Nobody logs in until the owner sets one by a reset."
)
@click.option("--name", type=FieldType("text", Name(maximum=256)), help="The owner's name.")
@click.option(
    "--username",
    type=FieldType("username", Username()),
    help="A name to log in with, besides the email.",
)
@click.option("--plan", default=FIRST_PLAN, help="The plan; trial if it is not given.")
@as_json_option
def create(
    email: str | None,
    external_id: str | None,
    password: str | None,
    generate_password: bool,
    no_password: bool,
    name: str | None,
    username: str | None,
    plan: str,
    as_json: bool,
) -> None:
    """Create an account; it has no key yet."""
    if email is None and external_id is None:
        raise click.UsageError("Give --email or --external-id, or both.")
    if no_password and (password or generate_password):
        raise click.UsageError("--no-password does not go with a password.")
    if email is None and (password or generate_password or username):
        raise click.UsageError("Who logs in needs an --email.")
    made_up = secrets.token_urlsafe(18) if generate_password and password is None else None
    password = password or made_up
    if password is None and email is not None and not no_password:
        password = click.prompt(
            "Password",
            hide_input=True,
            confirmation_prompt=True,
            type=FieldType("password", NewPassword()),
        )
    with one_line_faults():
        account = administration.create_account(
            email=email,
            external_id=external_id,
            password=password,
            name=name,
            username=username,
            plan=plan,
            client=OPERATOR,
        )
        record = _describe(account)
    print_record(record | ({"password": made_up} if made_up else {}), as_json=as_json)


@accounts.command("list")
@click.option(
    "--search",
    metavar="TEXT",
    type=FieldType("text", Text(minimum=1, maximum=256, trimmed=True)),
    help="Only accounts with TEXT in e-mail, username, name or external id, or at the beginning "
    "of the id.",
)
@click.option("--plan", help="Only accounts on this plan.")
@click.option(
    "--status", type=click.Choice((ACTIVE, SUSPENDED)), help="Only accounts of this status."
)
@paged(ACCOUNT_ID)
@as_json_option
def list_(
    search: str | None,
    plan: str | None,
    status: str | None,
    limit: int,
    after: uuid.UUID | None,
    as_json: bool,
) -> None:
    """List the accounts, newest first."""
    which: dict[str, Any] = {"search": search, "plan": plan, "status": status}
    with one_line_faults():
        if plan is not None:
            administration.require_plan(plan)
        found = collect_pages(
            lambda **page: administration.search_accounts(**which, **page),
            limit=limit,
            after=after,
        )
        rows = [_describe(account) for account in found.rows]
        total = administration.count_accounts(**which) if found.more else 0
    print_rows(rows, _COLUMNS, as_json=as_json)
    if found.more:
        tell_of_more(len(rows), total, after=str(rows[-1]["id"]), as_json=as_json)


@accounts.command("show")
@account_argument
@as_json_option
def show(account: str, as_json: bool) -> None:
    """Show an account with its live keys, this month's use, last login and sessions."""
    with one_line_faults():
        found = get_account(account)
        overview = look_at(found)
        last_login_at = overview.last_login_at
        record = {
            **_describe(found),
            "requests_this_month": overview.requests,
            "units_this_month": overview.units,
            "use_this_month": overview.use,
            "last_login_at": last_login_at and format_time(last_login_at),
            "second_factor": overview.has_second_factor,
            "sessions": overview.sessions,
        }
        keys = [KeySchema().dump(key) for key in overview.keys]
    if as_json:
        print_record({**record, "keys": keys}, as_json=True)
        return
    use = [f"{meter} {amount:,}" for meter, amount in overview.use.items()]
    print_record({**record, "use_this_month": use, "keys": len(keys)}, as_json=False)
    if keys:
        click.echo()
        print_rows(keys[:_SHOWN_KEYS], _KEY_COLUMNS, as_json=False)
    if len(keys) > _SHOWN_KEYS:
        click.echo(f"{_SHOWN_KEYS} of {len(keys):,} keys; `keys list` shows them all", err=True)


@accounts.command("suspend")
@account_argument
@as_json_option
def suspend(account: str, as_json: bool) -> None:
    """Suspend an account: its tokens and keys are refused from the next request on."""
    _set_status(account, SUSPENDED, as_json=as_json)


@accounts.command("resume")
@account_argument
@as_json_option
def resume(account: str, as_json: bool) -> None:
    """Resume a suspended account: its tokens and keys are accepted again."""
    _set_status(account, ACTIVE, as_json=as_json)


@accounts.command("set-plan")
@account_argument
@click.argument("plan")
@as_json_option
def set_plan(account: str, plan: str, as_json: bool) -> None:
    """Put an account on another plan."""
    with one_line_faults():
        found = administration.administer(
            account_id=get_account(account).id, changes={"plan": plan}, client=OPERATOR
        )
        record = _describe(found)
    print_change(f"{name_of(found)} has the plan {record['plan']}", record, as_json=as_json)


@accounts.command("set-limit")
@account_argument
@click.argument("meter")
@click.argument("window")
@click.argument("size", metavar="SIZE|none|default")
@as_json_option
def set_limit(account: str, meter: str, window: str, size: str, as_json: bool) -> None:
    """Replace one limit of an account's plan, for example `requests minute 600`.

    With `none` there is no limit of this meter and window; with `default` the plan's holds again.
    """
    with one_line_faults():
        limit = _load_limit(meter, window, size)
        account_id = get_account(account).id
        if size == _DEFAULT:
            del limit["size"]
            found = administration.reset_limit(account_id=account_id, **limit, client=OPERATOR)
        else:
            found = administration.set_limit(account_id=account_id, **limit, client=OPERATOR)
        record = InternalAccountSchema().dump(found)
    what = f"{limit['meter']} {read_window(limit['window']).in_words}"
    told = {
        _DEFAULT: f"has its plan's limit of {what}, if there is one",
        _NONE: f"has no limit of {what}",
    }.get(size, f"is limited to {size} {what}")
    print_change(f"{name_of(found)} {told}", record, as_json=as_json)


@accounts.command("end-sessions")
@account_argument
@yes_option
@as_json_option
def end_sessions(account: str, yes: bool, as_json: bool) -> None:
    """End all sessions of an account at once; its owner may log in again."""
    with one_line_faults():
        found = get_account(account)
        record = _describe(found)
    confirm(f"End every session of {name_of(found)}?", yes=yes)
    with one_line_faults():
        ended = account_sessions.end_all_sessions(
            account_id=get_account(account).id, client=OPERATOR
        )
    print_change(
        f"{ended} sessions of {name_of(found)} are ended",
        {"id": record["id"], "ended_sessions": ended},
        as_json=as_json,
    )


@accounts.command("remove-second-factor")
@account_argument
@yes_option
@as_json_option
def remove_second_factor(account: str, yes: bool, as_json: bool) -> None:
    """Remove the second factor of a customer who lost the device and the recovery codes.

    From then on the password alone is enough. First make sure, in a way that does not depend on the
    password, that the request comes from the customer.
    """
    with one_line_faults():
        found = get_account(account)
        record = _describe(found)
    confirm(
        f"Remove the second factor of {name_of(found)}? Then the password alone is enough.",
        yes=yes,
    )
    with one_line_faults():
        second_factors.remove_for_operator(account_id=get_account(account).id)
    print_change(f"{name_of(found)} has no second factor any more", record, as_json=as_json)


@accounts.command("delete")
@account_argument
@yes_option
@as_json_option
def delete(account: str, yes: bool, as_json: bool) -> None:
    """Delete an account for good: sessions and keys die at once, no personal data stays."""
    with one_line_faults():
        found = get_account(account)
        record = _describe(found)
    confirm(f"Delete {name_of(found)}? This cannot be undone.", yes=yes)
    with one_line_faults():
        administration.erase_account(account_id=get_account(account).id, client=OPERATOR)
    print_change(
        f"{name_of(found)} is deleted", {"id": record["id"], "status": DELETED}, as_json=as_json
    )


def _set_status(account: str, status: str, *, as_json: bool) -> None:
    with one_line_faults():
        found = administration.administer(
            account_id=get_account(account).id, changes={"status": status}, client=OPERATOR
        )
        record = _describe(found)
    print_change(f"{name_of(found)} is {record['status']}", record, as_json=as_json)


def _load_limit(meter: str, window: str, size: str) -> dict[str, Any]:
    """Load a limit as over HTTP; raises InvalidRequest with all its faults."""
    given: str | int | None = None if size in (_NONE, _DEFAULT) else size
    if size.isascii() and size.isdecimal() and len(size) < _TOO_LONG:
        given = int(size)
    try:
        limit = AccountLimitSchema().load({"meter": meter, "window": window, "size": given})
    except ValidationError as error:
        raise InvalidRequest(to_issues(error.messages)) from error
    return dict(limit)


def _describe(account: Account) -> dict[str, object]:
    described: dict[str, object] = InternalAccountSchema().dump(account)
    return described
