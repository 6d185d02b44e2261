"""Operators' commands for accounts."""

import secrets

import click
from flask.cli import AppGroup

from ragauth.cli.output import as_json_option, command_transaction, print_record
from ragauth.cli.parameters import FieldType
from ragauth.errors import NotFound
from ragauth.models import Account
from ragauth.models.accounts import ACTIVE, SUSPENDED
from ragauth.schemas.account_fields import Email, NewPassword, Username
from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.fields import Text
from ragauth.services import account_administration as administration
from ragauth.services import accounts as service
from ragauth.services import second_factors
from ragauth.services.audit import OPERATOR

accounts = AppGroup("accounts", help="Create and administer accounts.")

_account_argument = click.argument("account", metavar="ACCOUNT_ID|EMAIL")


@accounts.command("create")
@click.option("--email", required=True, type=FieldType("email", Email()))
@click.option(
    "--password",
    type=FieldType("password", NewPassword()),
    help="Asked for, or made up with --generate-password, when it is not given.",
)
@click.option("--generate-password", is_flag=True, help="Make one up and print it once.")
@click.option("--name", type=FieldType("text", Text(maximum=256)))
@click.option("--username", type=FieldType("username", Username()))
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


@accounts.command("show")
@_account_argument
@as_json_option
def show(account: str, as_json: bool) -> None:
    """Show an account."""
    with command_transaction():
        record = _describe(_find(account))
    print_record(record, as_json=as_json)


@accounts.command("suspend")
@_account_argument
def suspend(account: str) -> None:
    """Refuse its tokens and keys from the next request on."""
    _set_status(account, SUSPENDED)


@accounts.command("resume")
@_account_argument
def resume(account: str) -> None:
    """Accept its tokens and keys again."""
    _set_status(account, ACTIVE)


@accounts.command("set-plan")
@_account_argument
@click.argument("plan")
def set_plan(account: str, plan: str) -> None:
    """Put an account on another plan."""
    with command_transaction():
        found = administration.set_plan(account_id=_find(account).id, plan=plan)
        message = f"{found.email} has the plan {found.plan}"
    click.echo(message)


@accounts.command("end-sessions")
@_account_argument
def end_sessions(account: str) -> None:
    """Refuse all its tokens from the next request on; its owner may log in again."""
    with command_transaction():
        found = _find(account)
        ended = administration.end_sessions(account_id=found.id)
        message = f"{found.email} had {ended} sessions, ended now"
    click.echo(message)


@accounts.command("remove-second-factor")
@_account_argument
def remove_second_factor(account: str) -> None:
    """Let the password be enough again, for a customer who lost device and recovery codes.

    Make sure first, by a way that does not depend on the password, that it is the customer who
    asks.
    """
    with command_transaction():
        found = second_factors.remove_for_operator(account_id=_find(account).id)
        message = f"{found.email} has no second factor any more"
    click.echo(message)


def _set_status(account: str, status: str) -> None:
    with command_transaction():
        found = administration.set_status(account_id=_find(account).id, status=status)
        message = f"{found.email} is {found.status}"
    click.echo(message)


def _find(account: str) -> Account:
    found = administration.find(account)
    if found is None:
        raise NotFound(f"there is no account {account}")
    return found


def _describe(account: Account) -> dict[str, object]:
    return {**AccountSchema().dump(account), "status": account.status}
