"""The import of a file of keys: it is checked as a whole, then imported in batches."""

import gc
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
from marshmallow import ValidationError

from ragauth.cli.key_file import Entry, UnreadableFile, read_entries
from ragauth.cli.output import (
    SeveralFaults,
    one_line_faults,
    print_record,
    print_rows,
    show_progress,
)
from ragauth.models import Account
from ragauth.schemas.base import to_issues
from ragauth.schemas.key_import import ImportedKeySchema
from ragauth.security.identifiers import ACCOUNT, encode_id
from ragauth.security.key_format import TEST
from ragauth.services.limits.refusals import NO_TEST_KEYS
from ragauth.services.operators import key_import
from ragauth.services.operators.key_import import MOST_TEXTS_BEFORE, Expected, Forecast

# Keys in one transaction, which takes a twentieth of a second; other writers get their turn between
# two.
_BATCH = 1_000
_SHOWN_FAULTS = 1_000
_ACCOUNT_COLUMNS = ("account_id", "email", "new", "room", "external_id")


def import_file(file: Path, *, dry_run: bool, as_json: bool) -> None:
    """Import a file, or with `dry_run` tell what that would do; raises a fault in any line."""
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
    checked = _check(entries)
    if dry_run:
        _print_forecast(checked, as_json=as_json)
    if checked.faults:
        hidden = len(checked.faults) - _SHOWN_FAULTS
        more = [f"and {hidden:,} more"] if hidden > 0 else []
        raise SeveralFaults("nothing was imported", *checked.faults[:_SHOWN_FAULTS], *more)
    if not dry_run:
        imported = _import(checked.keys)
        known = len(entries) - imported
        print_record({"lines": len(entries), "imported": imported, "known": known}, as_json=as_json)


class _Checked(NamedTuple):
    """A file that was checked: the keys without a fault, all faults in the order of the file."""

    lines: int
    keys: list[dict[str, Any]]
    faults: list[str]
    forecast: Forecast


def _check(entries: list[Entry]) -> _Checked:
    """Check the entries. It only reads, so that a long file holds up no writer."""
    loaded = [
        each
        for start in range(0, len(entries), _BATCH)
        for each in _load(entries[start : start + _BATCH])
    ]
    with one_line_faults():
        owners = key_import.find_owners(values["owner"] for values, _ in loaded if values)
        owned = [
            {**values, "account_id": owners[values["owner"]].id}
            for values, _ in loaded
            if values and values["owner"] in owners
        ]
        forecast = key_import.foresee(owned, owners.values())
        excess = key_import.find_excess_texts(
            values["text_before"] for values, _ in loaded if values and values["text_before"]
        )
    faults: list[str] = []
    keys: list[dict[str, Any]] = []
    seen: dict[bytes, tuple[str, uuid.UUID]] = {}
    for entry, (values, faults_of_form) in zip(entries, loaded, strict=True):
        issues = faults_of_form
        if values:
            owner = owners.get(values["owner"])
            issues = _find_issues(values, owner, forecast.accounts, excess)
            if owner is not None:
                place, first_owner = seen.setdefault(values["digest"], (entry.place, owner.id))
                if first_owner != owner.id:
                    issues.append(f"digest: another owner has it in {place}")
                del values["owner"]
                if not issues:
                    keys.append({**values, "account_id": owner.id})
        faults += [f"{entry.place}: {issue}" for issue in issues]
    return _Checked(len(entries), keys, faults, forecast)


_schema = ImportedKeySchema()


def _load(entries: Sequence[Entry]) -> list[tuple[dict[str, Any], list[str]]]:
    """Each line's fields, or its faults if it has any."""
    try:
        # All at once takes less time than one by one.
        loaded = _schema.load([entry.values for entry in entries], many=True)
    except ValidationError as error:
        if len(entries) > 1:
            return [each for entry in entries for each in _load([entry])]
        return [({}, _describe(error))]
    return [(values, []) for values in loaded]


def _describe(error: ValidationError) -> list[str]:
    issues = to_issues(error.messages[0])
    paths = [(".".join(map(str, issue["path"])), issue["message"]) for issue in issues]
    return [f"{path}: {message}" if path else message for path, message in paths]


def _find_issues(
    values: Mapping[str, Any],
    owner: Account | None,
    accounts: Mapping[uuid.UUID, Expected],
    excess: frozenset[str],
) -> list[str]:
    """The faults of a line that only the database tells."""
    issues = []
    if owner is None:
        issues.append(f"owner: there is no account {values['owner']}")
    elif fault := accounts[owner.id].fault:
        issues.append(f"owner: {fault}")
    elif values["environment"] == TEST and not key_import.may_have_test_keys(owner):
        issues.append(f"environment: {NO_TEST_KEYS}")
    if values["text_before"] in excess:
        issues.append(f"text_before: there may be at most {MOST_TEXTS_BEFORE} different ones")
    return issues


def _print_forecast(checked: _Checked, *, as_json: bool) -> None:
    """Tell what an import would do: how many keys are new, known, refused; each account's room."""
    new = {key["digest"] for key in checked.keys} - checked.forecast.known
    refused = len({fault.partition(":")[0] for fault in checked.faults})
    record: dict[str, Any] = {
        "lines": checked.lines,
        "new": len(new),
        "known": len(checked.keys) - len(new),
        "refused": refused,
    }
    accounts = list(_describe_accounts(checked.forecast.accounts.values()))
    if as_json:
        print_record({**record, "accounts": accounts, "faults": checked.faults}, as_json=True)
        return
    print_record(record, as_json=False)
    if accounts:
        click.echo()
        print_rows(accounts, _ACCOUNT_COLUMNS, as_json=False)


def _describe_accounts(expected: Iterable[Expected]) -> Iterator[dict[str, Any]]:
    """`new` are an account's keys that the file adds, `room` is what its plan has room for."""
    for one in expected:
        yield {
            "account_id": encode_id(ACCOUNT, one.account.id),
            "email": one.account.email,
            "external_id": one.account.external_id,
            "new": one.new,
            "counted": one.counted,
            "room": one.room,
        }


def _import(keys: Sequence[dict[str, Any]]) -> int:
    """Import in batches that never lock the database for long; returns how many were new.

    An import that broke off may be repeated.
    """
    imported = 0
    # Sorted by account: the keys of an account are counted, under its lock, once for each batch.
    keys = sorted(keys, key=lambda key: key["account_id"].int)
    batches = [keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH)]
    for batch in show_progress(batches, "importing", size=len, length=len(keys)):
        try:
            with one_line_faults():
                imported += key_import.import_keys(batch)
        except click.ClickException as fault:
            if not imported:
                raise
            raise click.ClickException(
                f"{fault.message} ({imported:,} of {len(keys):,} keys were imported;"
                " import the same file again for the rest)"
            ) from fault
    return imported
