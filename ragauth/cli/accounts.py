"""Operators' commands for accounts."""

import secrets

import click

from ragauth.cli.output import (
    Group,
    as_json_option,
    collect_pages,
    command_transaction,
    confirm,
    print_change,
    print_record,
    print_rows,
    yes_option,
)
from ragauth.cli.parameters import FieldType, account_argument, get_account
from ragauth.models import Account
from ragauth.models.accounts import ACTIVE, DELETED, SUSPENDED
from ragauth.schemas.account_fields import Email, NewPassword, Username
from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.fields import Name
from ragauth.services import account_administration as administration
from ragauth.services import accounts as service
from ragauth.services import second_factors
from ragauth.services.audit import OPERATOR

accounts = Group("accounts", help="Create, list and administer accounts.")

_COLUMNS = ("id", "email", "username", "plan", "status", "created_at")


@accounts.command("create")
@click.option(
    "--email", required=True, type=FieldType("email", Email()), help="The owner's address."
)
@click.option(
    "--password",
    type=FieldType("password", NewPassword()),
    help="Asked for, or made up with --generate-password, when it is not given.",
)
@click.option("--generate-password", is_flag=True, help="Make one up and print it once.")
@click.option("--name", type=FieldType("text", Name(maximum=256)), help="The owner's name.")
@click.option(
    "--username", type=FieldType("username", Username()), help="To log in with, beside the email."
)
@click.option("--plan", help="The plan; trial when it is not given.")
@as_json_option
def create(
    email: str,
    password: str | None,
    generate_password: bool,
    name: str | None,
    username: str | None,
    plan: str | None,
    as_json: bool,
) -> None:
    """Create an account; it has no key until its owner makes one."""
    made_up = secrets.token_urlsafe(18) if generate_password and password is None else None
    password = password or made_up
    if password is None:
        password = click.prompt(
            "Password",
            hide_input=True,
            confirmation_prompt=True,
            type=FieldType("password", NewPassword()),
        )
    with command_transaction():
        if plan is not None:
            administration.require_plan(plan)
        account = service.create_account(
            email=email,
            password=password,
            name=name,
            username=username,
            plan=plan,
            client=OPERATOR,
        )
        record = _describe(account)
    print_record(record | ({"password": made_up} if made_up else {}), as_json=as_json)


@accounts.command("list")
@click.option("--plan", help="Those on this plan alone.")
@click.option(
    "--status", type=click.Choice((ACTIVE, SUSPENDED)), help="Those of this status alone."
)
@click.option(
    "--limit",
    default=100,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many, the newest first; 0 for all.",
)
@as_json_option
def list_(plan: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List the accounts, newest first."""
    with command_transaction():
        if plan is not None:
            administration.require_plan(plan)
        found = collect_pages(
            lambda **page: administration.list_accounts(
                email=None, plan=plan, status=status, **page
            ),
            limit=limit,
        )
        rows = [_describe(account) for account in found]
    print_rows(rows, _COLUMNS, as_json=as_json)


@accounts.command("show")
@account_argument
@as_json_option
def show(account: str, as_json: bool) -> None:
    """Show an account."""
    with command_transaction():
        record = _describe(get_account(account))
    print_record(record, as_json=as_json)


@accounts.command("suspend")
@account_argument
@as_json_option
def suspend(account: str, as_json: bool) -> None:
    """Refuse its tokens and keys from the next request on."""
    _set_status(account, SUSPENDED, as_json=as_json)


@accounts.command("resume")
@account_argument
@as_json_option
def resume(account: str, as_json: bool) -> None:
    """Accept its tokens and keys again."""
    _set_status(account, ACTIVE, as_json=as_json)


@accounts.command("set-plan")
@account_argument
@click.argument("plan")
@as_json_option
def set_plan(account: str, plan: str, as_json: bool) -> None:
    """Put an account on another plan."""
    with command_transaction():
        found = administration.set_plan(account_id=get_account(account).id, plan=plan)
        record = _describe(found)
    print_change(f"{record['email']} has the plan {record['plan']}", record, as_json=as_json)


@accounts.command("end-sessions")
@account_argument
@yes_option
@as_json_option
def end_sessions(account: str, yes: bool, as_json: bool) -> None:
    """Refuse all its tokens from the next request on; its owner may log in again."""
    with command_transaction():
        record = _describe(get_account(account))
    confirm(f"End every session of {record['email']}?", yes=yes)
    with command_transaction():
        ended = administration.end_sessions(account_id=get_account(account).id)
    print_change(
        f"{record['email']} had {ended} sessions, ended now",
        {"id": record["id"], "ended_sessions": ended},
        as_json=as_json,
    )


@accounts.command("remove-second-factor")
@account_argument
@yes_option
@as_json_option
def remove_second_factor(account: str, yes: bool, as_json: bool) -> None:
    """Let the password be enough again, for a customer who lost device and recovery codes.

    Make sure first, by a way that does not depend on the password, that it is the customer who
    asks.
    """
    with command_transaction():
        record = _describe(get_account(account))
    confirm(f"Let the password alone be enough for {record['email']}?", yes=yes)
    with command_transaction():
        second_factors.remove_for_operator(account_id=get_account(account).id)
    print_change(f"{record['email']} has no second factor any more", record, as_json=as_json)


@accounts.command("delete")
@account_argument
@yes_option
@as_json_option
def delete(account: str, yes: bool, as_json: bool) -> None:
    """Delete an account for good: its sessions and keys die at once, nothing personal stays."""
    with command_transaction():
        record = _describe(get_account(account))
    confirm(f"Delete {record['email']}? Nothing brings it back.", yes=yes)
    with command_transaction():
        service.erase_account(account_id=get_account(account).id, client=OPERATOR)
    print_change(
        f"{record['email']} is deleted", {"id": record["id"], "status": DELETED}, as_json=as_json
    )


def _set_status(account: str, status: str, *, as_json: bool) -> None:
    with command_transaction():
        found = administration.set_status(account_id=get_account(account).id, status=status)
        record = _describe(found)
    print_change(f"{record['email']} is {record['status']}", record, as_json=as_json)


def _describe(account: Account) -> dict[str, object]:
    return {**AccountSchema().dump(account), "status": account.status}
