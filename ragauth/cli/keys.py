"""Operators' commands for customers' keys: import them, find them, kill them."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from marshmallow import ValidationError

from ragauth import transaction
from ragauth.cli.output import (
    Group,
    SeveralFaults,
    as_json_option,
    collect_pages,
    command_transaction,
    confirm,
    one_line_faults,
    print_change,
    print_record,
    print_rows,
    show_progress,
    yes_option,
)
from ragauth.cli.parameters import account_argument, get_account
from ragauth.models import ApiKey
from ragauth.schemas.api_keys import KeySchema
from ragauth.schemas.base import to_issues
from ragauth.schemas.key_import import ImportedKeySchema
from ragauth.security.identifiers import ACCOUNT, encode_id
from ragauth.security.key_format import TEST
from ragauth.services import api_keys, key_import
from ragauth.services import key_administration as administration
from ragauth.services.plans import NO_TEST_KEYS

keys = Group("keys", help="List, show and revoke keys; take them over from another system.")

_BATCH = 500
_SHOWN_FAULTS = 20
_COLUMNS = ("id", "name", "prefix", "kind", "scopes", "is_active", "created_at", "last_used_at")

_key_argument = click.argument("key", metavar="KEY_ID|KEY|-")


@keys.command("list")
@account_argument
@click.option("--include-revoked", is_flag=True, help="Dead ones too.")
@as_json_option
def list_(account: str, include_revoked: bool, as_json: bool) -> None:
    """List an account's keys, its agents' too, newest first."""
    with command_transaction():
        account_id = get_account(account).id
        found = collect_pages(
            lambda **page: api_keys.list_keys(
                account_id=account_id, agent_id=None, include_revoked=include_revoked, **page
            )
        )
        rows = [_describe(key) for key in found]
    print_rows(rows, _COLUMNS, as_json=as_json)


@keys.command("show")
@_key_argument
@as_json_option
def show(key: str, as_json: bool) -> None:
    """Show a key and whose it is.

    It is named by its id, or by its raw form as it was found somewhere; `-` reads that from
    standard input.
    """
    with command_transaction():
        record = _describe(administration.get_key(_read_key(key)))
    print_record(record, as_json=as_json)


@keys.command("revoke")
@_key_argument
@yes_option
@as_json_option
def revoke(key: str, yes: bool, as_json: bool) -> None:
    """Revoke a key that leaked; it is dead at once and for good.

    It is named by its id, or by its raw form as it was found somewhere; `-` reads that from
    standard input. A service's key may be meant, too.
    """
    with command_transaction():
        found = administration.get_key(_read_key(key))
        record = _describe(found)
        key_id = found.id
    whose = record["email"] or record["account_id"] or "a service"
    confirm(f"Revoke {record['prefix']}… ({record['name']}) of {whose}?", yes=yes)
    with command_transaction():
        record = _describe(administration.revoke_key(key_id=key_id))
    print_change(f"{record['prefix']}… of {whose} is revoked", record, as_json=as_json)


@keys.command("revoke-all")
@account_argument
@yes_option
@as_json_option
def revoke_all(account: str, yes: bool, as_json: bool) -> None:
    """Revoke all keys of an account, its agents' too; they are dead at once and for good."""
    with command_transaction():
        found = get_account(account)
    confirm(f"Revoke every key of {found.email}?", yes=yes)
    with command_transaction():
        revoked = administration.revoke_keys(account_id=found.id)
    print_change(
        f"{revoked} keys of {found.email} are revoked",
        {"account_id": encode_id(ACCOUNT, found.id), "revoked_keys": revoked},
        as_json=as_json,
    )


@keys.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check every line and import none.")
@as_json_option
def import_(file: Path, dry_run: bool, as_json: bool) -> None:
    """Import keys by their SHA-256 digests, from CSV with a header or from JSON lines (.jsonl).

    Columns: digest, owner (e-mail or account id), name; and, where wanted, prefix, environment,
    scopes (separated by spaces), expires_at. Nothing is imported while a line is faulty, or while
    an owner's plan has no room for the keys; a key that is known already is left as it is.
    """
    lines, faults = [], []
    for number, values in _read(file):
        try:
            lines.append((number, ImportedKeySchema().load(values)))
        except ValidationError as error:
            faults += [
                f"line {number}: {'.'.join(map(str, issue['path']))}: {issue['message']}"
                for issue in to_issues(error.messages)
            ]
    # Nobody who writes waits for a look at each key of a long file.
    with one_line_faults(), transaction.read_only():
        refused = key_import.find_faults(
            (values["owner"], values["digest"], values["expires_at"]) for _, values in lines
        )
        without_test_keys = key_import.find_without_test_keys(
            values["owner"] for _, values in lines if values["environment"] == TEST
        )
    faults += [
        f"line {number}: owner: {refused[values['owner']]}"
        for number, values in lines
        if values["owner"] in refused
    ]
    faults += [
        f"line {number}: environment: {NO_TEST_KEYS}"
        for number, values in lines
        if values["environment"] == TEST and values["owner"] in without_test_keys
    ]
    if faults:
        hidden = len(faults) - _SHOWN_FAULTS
        more = [f"and {hidden} more"] if hidden > 0 else []
        raise SeveralFaults("nothing was imported", *faults[:_SHOWN_FAULTS], *more)
    imported = 0 if dry_run else _import([values for _, values in lines])
    known = 0 if dry_run else len(lines) - imported
    print_record({"lines": len(lines), "imported": imported, "known": known}, as_json=as_json)


def _import(lines: list[dict[str, Any]]) -> int:
    """In batches that never hold the database for long; an import that broke off may be repeated.

    Returns how many keys were new.
    """
    imported = 0
    batches = [lines[start : start + _BATCH] for start in range(0, len(lines), _BATCH)]
    for batch in show_progress(batches, "importing"):
        with command_transaction():
            imported += sum(key_import.import_key(**values) for values in batch)
    return imported


def _read_key(key: str) -> str:
    """What was named, or the one line of standard input for `-`: no shell history keeps that."""
    return sys.stdin.readline().strip() if key == "-" else key


def _describe(key: ApiKey) -> dict[str, Any]:
    owner = administration.owner_of(key)
    described: dict[str, Any] = KeySchema().dump(key)
    return described | {
        "account_id": None if key.account_id is None else encode_id(ACCOUNT, key.account_id),
        "email": None if owner is None else owner.email,
    }


def _read(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines with their numbers; what is empty counts as not given."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            if file.suffix in (".jsonl", ".ndjson"):
                for number, line in enumerate(text, 1):
                    if line.strip():
                        yield number, json.loads(line)
                return
            reader = csv.DictReader(text, strict=True)
            for row in reader:
                values: dict[str, Any] = {name: value for name, value in row.items() if value}
                if "scopes" in values:
                    values["scopes"] = values["scopes"].split()
                yield reader.line_num, values
    except (ValueError, csv.Error) as error:
        raise click.ClickException(f"cannot read {file}: {error}") from error
