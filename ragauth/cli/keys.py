"""Operators' commands for customers' keys."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from marshmallow import ValidationError

from ragauth.cli.output import as_json_option, command_transaction, print_record
from ragauth.schemas.base import to_issues
from ragauth.schemas.key_import import ImportedKeySchema
from ragauth.services import key_import

keys = AppGroup("keys", help="Take over customers' keys from another system.")

_BATCH = 500
_SHOWN_FAULTS = 20


@keys.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check every line and import none.")
@as_json_option
def import_(file: Path, dry_run: bool, as_json: bool) -> None:
    """Import keys by their SHA-256 digests, from CSV with a header or from JSON lines (.jsonl).

    Columns: digest, owner (e-mail or account id), name; and, where wanted, prefix, environment,
    scopes (separated by spaces), expires_at. Nothing is imported while a line is faulty; a key
    that is known already is left as it is.
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
    with command_transaction():
        strangers = key_import.find_strangers(values["owner"] for _, values in lines)
    faults += [
        f"line {number}: owner: there is no account {values['owner']}"
        for number, values in lines
        if values["owner"] in strangers
    ]
    if faults:
        shown = "\n".join(faults[:_SHOWN_FAULTS])
        more = f"\nand {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
        raise click.ClickException(f"nothing was imported\n{shown}{more}")
    imported = 0 if dry_run else _import([values for _, values in lines])
    known = 0 if dry_run else len(lines) - imported
    print_record({"lines": len(lines), "imported": imported, "known": known}, as_json=as_json)


def _import(lines: list[dict[str, Any]]) -> int:
    """In batches that never hold the database for long; an import that broke off may be repeated.

    Returns how many keys were new.
    """
    imported = 0
    batches = [lines[start : start + _BATCH] for start in range(0, len(lines), _BATCH)]
    with click.progressbar(batches, file=sys.stderr) as progress:
        for batch in progress:
            with command_transaction():
                imported += sum(key_import.import_key(**values) for values in batch)
    return imported


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
