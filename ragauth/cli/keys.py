"""Operators' commands for customers' keys: create, find, revoke, import."""

import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from marshmallow import ValidationError

from ragauth.cli.key_import import import_file
from ragauth.cli.output import (
    Group,
    SeveralFaults,
    as_json_option,
    confirm,
    one_line_faults,
    print_change,
    print_record,
    print_rows,
    yes_option,
)
from ragauth.cli.paging import collect_pages, paged, tell_of_more
from ragauth.cli.parameters import KEY_ID, account_argument, get_account, name_of
from ragauth.errors import InvalidRequest
from ragauth.models import ApiKey
from ragauth.schemas.api_keys import KeySchema, NewManagedKeySchema
from ragauth.schemas.base import to_issues
from ragauth.security.identifiers import ACCOUNT, EXTERNAL, encode_id
from ragauth.services.audit import OPERATOR
from ragauth.services.keys import api_keys
from ragauth.services.operators import keys as administration
from ragauth.services.operators.accounts import find_many

keys = Group("keys", help="Create, list, show and revoke keys; import them from another system.")

_SHOWN_CANDIDATES = 20
_COLUMNS = (
    *("id", "name", "prefix", "is_active", "last_used_at", "managed", "kind", "scopes"),
    "created_at",
)
_FOUND_COLUMNS = ("id", "prefix", "is_active", "email", "external_id", "name", "last_used_at")

_key_argument = click.argument("key", metavar="KEY_ID|KEY|PREFIX|-")


@keys.command("create")
@account_argument
@click.option("--name", required=True, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="What the key may do, more than once too; all that an owner can give without it.",
)
@as_json_option
def create(account: str, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Create a managed key and print it; it is not shown again.

    Its owner may see and revoke it, nothing else.
    """
    with one_line_faults():
        fields = _load_new_key({"name": name, "scopes": list(scopes) or None})
        issued = api_keys.create_key(
            account_id=get_account(account).id,
            fields=fields,
            agent_id=None,
            client=OPERATOR,
            by_operator=True,
        )
        record = {"api_key": issued.raw_key, **_describe(issued.key)}
    print_record(record, as_json=as_json)


def _load_new_key(given: dict[str, Any]) -> dict[str, Any]:
    """Load a key as over HTTP; raises InvalidRequest with all its faults."""
    try:
        return dict(NewManagedKeySchema().load(given))
    except ValidationError as error:
        raise InvalidRequest(to_issues(error.messages)) from error


@keys.command("list")
@account_argument
@click.option("--include-revoked", is_flag=True, help="Revoked keys too.")
@paged(KEY_ID)
@as_json_option
def list_(
    account: str, include_revoked: bool, limit: int, after: uuid.UUID | None, as_json: bool
) -> None:
    """List an account's keys, its agents' too, newest first."""
    with one_line_faults():
        which: dict[str, Any] = {
            "account_id": get_account(account).id,
            "include_revoked": include_revoked,
        }
        found = collect_pages(
            lambda **page: api_keys.list_keys(agent_id=None, **which, **page),
            limit=limit,
            after=after,
        )
        rows = _describe_all(found.rows)
        total = api_keys.count_keys(**which) if found.more else 0
    _print_page(rows, _COLUMNS, total, as_json=as_json)


@keys.command("find")
@click.argument("prefix")
@click.option("--include-revoked", is_flag=True, help="Revoked keys too.")
@paged(KEY_ID)
@as_json_option
def find(
    prefix: str, include_revoked: bool, limit: int, after: uuid.UUID | None, as_json: bool
) -> None:
    """Find the keys of all accounts and services that are shown as PREFIX, newest first.

    Logs and lists show the first characters of a key (rag_live_a1b2). A shorter PREFIX finds more
    keys. PREFIX may also be a whole key, or one that was cut off.
    """
    with one_line_faults():
        found = collect_pages(
            lambda **page: administration.find_keys(
                prefix, include_revoked=include_revoked, **page
            ),
            limit=limit,
            after=after,
        )
        rows = _describe_all(found.rows)
        total = (
            administration.count_keys(prefix, include_revoked=include_revoked) if found.more else 0
        )
    _print_page(rows, _FOUND_COLUMNS, total, as_json=as_json)


def _print_page(
    rows: list[dict[str, Any]], columns: tuple[str, ...], total: int, *, as_json: bool
) -> None:
    """Print rows and how many of `total` they are; a total of 0 means that no more follow."""
    print_rows(rows, columns, as_json=as_json)
    if total:
        tell_of_more(len(rows), total, after=str(rows[-1]["id"]), as_json=as_json)


@keys.command("show")
@_key_argument
@as_json_option
def show(key: str, as_json: bool) -> None:
    """Show a key and its owner.

    Name the key by its id, by its raw form, or by its prefix if no other key has that prefix. `-`
    reads the name from standard input.
    """
    with one_line_faults():
        record = _describe(_get_key(key))
    print_record(record, as_json=as_json)


@keys.command("revoke")
@_key_argument
@yes_option
@as_json_option
def revoke(key: str, yes: bool, as_json: bool) -> None:
    """Revoke a key that leaked; it is dead at once and for good.

    Name the key by its id, by its raw form, or by its prefix if no other live key has that prefix.
    `-` reads the name from standard input. The key of a service can be revoked too.
    """
    with one_line_faults():
        found = _get_key(key)
        record = _describe(found)
        key_id = found.id
    whose = _owner_in(record)
    confirm(f"Revoke {record['prefix']}… ({record['name']}) of {whose}?", yes=yes)
    with one_line_faults():
        record = _describe(administration.revoke_key(key_id=key_id))
    print_change(f"{record['prefix']}… of {whose} is revoked", record, as_json=as_json)


@keys.command("revoke-all")
@account_argument
@yes_option
@as_json_option
def revoke_all(account: str, yes: bool, as_json: bool) -> None:
    """Revoke all keys of an account, its agents' too; they are dead at once and for good."""
    with one_line_faults():
        found = get_account(account)
    confirm(f"Revoke every key of {name_of(found)}?", yes=yes)
    with one_line_faults():
        revoked = administration.revoke_keys(account_id=found.id)
    print_change(
        f"{revoked} keys of {name_of(found)} are revoked",
        {"account_id": encode_id(ACCOUNT, found.id), "revoked_keys": revoked},
        as_json=as_json,
    )


@keys.command("import")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Tell what would be done, but import nothing.",
)
@as_json_option
def import_(file: Path, dry_run: bool, as_json: bool) -> None:
    """Import keys by their SHA-256 digests, from CSV, JSON or JSON lines; `-` is standard input.

    Columns: digest (hex, base64 or base64url), owner (e-mail, account id, or `ext:` and an external
    id), name. Optional columns: hashed (`key`, or `after` if the digest is that of the part after
    text_before), text_before, prefix, environment, scopes (separated by spaces), expires_at,
    managed. Nothing is imported if any line is faulty, or if an owner's plan has no room for the
    keys. A key that exists already is left as it is, so an import that was interrupted is completed
    by the same file.
    """
    import_file(file, dry_run=dry_run, as_json=as_json)


def _get_key(key: str) -> ApiKey:
    """The key that is named; raises a fault that lists the keys if several match."""
    found = administration.find_named(_read_key(key), limit=_SHOWN_CANDIDATES + 1)
    if len(found) == 1:
        return found[0]
    shown = _describe_all(found[:_SHOWN_CANDIDATES])
    more = ["and more; `keys find` lists them"] if len(found) > _SHOWN_CANDIDATES else []
    raise SeveralFaults(
        f"several keys are shown as {found[0].prefix}…; name one by its id",
        *(f"{each['id']}  {each['name']}  of {_owner_in(each)}" for each in shown),
        *more,
    )


def _owner_in(record: dict[str, Any]) -> str:
    external_id = record["external_id"]
    external_name = None if external_id is None else f"{EXTERNAL}{external_id}"
    return str(record["email"] or external_name or record["account_id"] or "a service")


def _read_key(key: str) -> str:
    """The name, or a line from standard input for `-`, which stays out of the shell's history."""
    return (sys.stdin.readline() if key == "-" else key).strip()


def _describe(key: ApiKey) -> dict[str, Any]:
    (described,) = _describe_all([key])
    return described


def _describe_all(found: Sequence[ApiKey]) -> list[dict[str, Any]]:
    """Keys with their owners' names; keys of services and of deleted accounts have none."""
    account_ids = {key.account_id for key in found if key.account_id is not None}
    owners = find_many(account_ids)
    return [
        KeySchema().dump(key)
        | {
            "account_id": key.account_id and encode_id(ACCOUNT, key.account_id),
            "email": owner and owner.email,
            "external_id": owner and owner.external_id,
        }
        for key in found
        for owner in [owners.get(key.account_id) if key.account_id else None]
    ]
