"""Operators' commands for customers' keys: import, find, revoke."""

import gc
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from marshmallow import ValidationError

from ragauth.cli.key_file import Entry, UnreadableFile, read_entries
from ragauth.cli.output import (
    Group,
    SeveralFaults,
    as_json_option,
    confirm,
    one_line_faults,
    print_change,
    print_record,
    print_rows,
    show_progress,
    yes_option,
)
from ragauth.cli.paging import collect_pages, paged, tell_of_more
from ragauth.cli.parameters import KEY_ID, account_argument, get_account, name_of
from ragauth.models import Account, ApiKey
from ragauth.schemas.api_keys import KeySchema
from ragauth.schemas.base import to_issues
from ragauth.schemas.key_import import ImportedKeySchema
from ragauth.security.identifiers import ACCOUNT, encode_id
from ragauth.security.key_format import TEST
from ragauth.services.keys import api_keys
from ragauth.services.limits.refusals import NO_TEST_KEYS
from ragauth.services.operators import key_import
from ragauth.services.operators import keys as administration
from ragauth.services.operators.accounts import find_many

keys = Group("keys", help="List, show and revoke keys; import them from another system.")

# Keys in one transaction, which takes a twentieth of a second; other writers get their turn between
# two.
_BATCH = 1_000
_SHOWN_FAULTS = 20
_SHOWN_CANDIDATES = 20
_COLUMNS = (
    *("id", "name", "prefix", "is_active", "last_used_at", "managed", "kind", "scopes"),
    "created_at",
)
_FOUND_COLUMNS = ("id", "prefix", "is_active", "email", "name", "last_used_at")

_key_argument = click.argument("key", metavar="KEY_ID|KEY|PREFIX|-")


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
@click.option("--dry-run", is_flag=True, help="Check every line, but import nothing.")
@as_json_option
def import_(file: Path, dry_run: bool, as_json: bool) -> None:
    """Import keys by their SHA-256 digests, from CSV, JSON or JSON lines; `-` is standard input.

    Columns: digest, owner (e-mail or account id), name. Optional columns: prefix, environment,
    scopes (separated by spaces), expires_at. Nothing is imported if any line is faulty, or if an
    owner's plan has no room for the keys. A key that exists already is left as it is.
    """
    with _without_cyclic_collection():
        _import_file(file, dry_run=dry_run, as_json=as_json)


@contextmanager
def _without_cyclic_collection() -> Iterator[None]:
    """Pause the garbage collector: its passes took a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _import_file(file: Path, *, dry_run: bool, as_json: bool) -> None:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        entries = read_entries(data, file.name)
    except (UnreadableFile, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise click.ClickException(f"nothing was imported from {file}: {reason}") from error
    lines, faults = _check(entries)
    if faults:
        hidden = len(faults) - _SHOWN_FAULTS
        more = [f"and {hidden:,} more"] if hidden > 0 else []
        raise SeveralFaults("nothing was imported", *faults[:_SHOWN_FAULTS], *more)
    imported = 0 if dry_run else _import(lines)
    known = 0 if dry_run else len(lines) - imported
    print_record({"lines": len(lines), "imported": imported, "known": known}, as_json=as_json)


def _check(entries: list[Entry]) -> tuple[list[dict[str, Any]], list[str]]:
    """Check the entries; returns the keys with `account_id`, and the faults, in file order."""
    loaded = [_load(entry.values) for entry in entries]
    # The checks only read, so that a long file holds up no writer.
    with one_line_faults():
        owners = key_import.find_owners(values["owner"] for values, _ in loaded if values)
        keys_ = [
            {**values, "account_id": owners[values["owner"]].id}
            for values, _ in loaded
            if values and values["owner"] in owners
        ]
        without_room = key_import.find_without_room(keys_, owners.values())
    faults: list[str] = []
    seen: dict[bytes, tuple[str, uuid.UUID]] = {}
    for entry, (values, faults_of_form) in zip(entries, loaded, strict=True):
        issues = faults_of_form
        if values:
            owner = owners.get(values["owner"])
            issues = _find_issues(values, owner, without_room)
            if owner is not None:
                place, first_owner = seen.setdefault(values["digest"], (entry.place, owner.id))
                if first_owner != owner.id:
                    issues.append(f"digest: another owner has it in {place}")
        faults += [f"{entry.place}: {issue}" for issue in issues]
    for key in keys_:
        del key["owner"]
    return keys_, faults


_schema = ImportedKeySchema()


def _load(values: Any) -> tuple[dict[str, Any], list[str]]:
    """The fields of a line, or its faults if it has any."""
    try:
        return _schema.load(values), []
    except ValidationError as error:
        issues = to_issues(error.messages)
        paths = [(".".join(map(str, issue["path"])), issue["message"]) for issue in issues]
        return {}, [f"{path}: {message}" if path else message for path, message in paths]


def _find_issues(
    values: dict[str, Any], owner: Account | None, without_room: dict[uuid.UUID, str]
) -> list[str]:
    """The faults of a line that only the database tells."""
    if owner is None:
        return [f"owner: there is no account {values['owner']}"]
    if owner.id in without_room:
        return [f"owner: {without_room[owner.id]}"]
    if values["environment"] == TEST and not key_import.may_have_test_keys(owner):
        return [f"environment: {NO_TEST_KEYS}"]
    return []


def _import(lines: list[dict[str, Any]]) -> int:
    """Import in batches that never lock the database for long; returns how many keys were new.

    An import that broke off may be repeated.
    """
    imported = 0
    # Sorted by account: the keys of an account are counted, under its lock, once for each batch.
    lines = sorted(lines, key=lambda line: line["account_id"].int)
    batches = [lines[start : start + _BATCH] for start in range(0, len(lines), _BATCH)]
    for batch in show_progress(batches, "importing", size=len, length=len(lines)):
        try:
            with one_line_faults():
                imported += key_import.import_keys(batch)
        except click.ClickException as fault:
            if not imported:
                raise
            so_far = f"{imported:,} of {len(lines):,} keys were imported"
            raise click.ClickException(f"{fault.message} ({so_far})") from fault
    return imported


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
    return str(record["email"] or record["account_id"] or "a service")


def _read_key(key: str) -> str:
    """The name, or a line from standard input for `-`, which stays out of the shell's history."""
    return (sys.stdin.readline() if key == "-" else key).strip()


def _describe(key: ApiKey) -> dict[str, Any]:
    (described,) = _describe_all([key])
    return described


def _describe_all(found: Sequence[ApiKey]) -> list[dict[str, Any]]:
    """Keys with their owners' e-mail; keys of services and of deleted accounts have none."""
    account_ids = {key.account_id for key in found if key.account_id is not None}
    owners = find_many(account_ids)
    return [
        KeySchema().dump(key)
        | {
            "account_id": key.account_id and encode_id(ACCOUNT, key.account_id),
            "email": owners[key.account_id].email if key.account_id in owners else None,
        }
        for key in found
    ]
