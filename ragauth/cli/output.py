"""How commands speak: a table for people, JSON for programs, one line for a failure."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from ragauth import transaction
from ragauth.errors import InvalidRequest, RagauthError

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def command_transaction() -> Iterator[None]:
    """One unit of work; what goes wrong is one line on standard error and exit code 1."""
    with one_line_faults(), transaction.unit_of_work():
        yield


@contextmanager
def one_line_faults() -> Iterator[None]:
    """One line for what goes wrong, for a command that has transactions of its own."""
    try:
        yield
    except InvalidRequest as error:
        issues = [
            f"{'.'.join(map(str, issue['path']))}: {issue['message']}"
            for issue in error.details["issues"]
        ]
        raise click.ClickException("; ".join(issues)) from error
    except RagauthError as error:
        raise click.ClickException(error.message) from error
    except SQLAlchemyError as error:
        raise click.ClickException(
            f"the database did not answer ({type(error).__name__});"
            " is it there, and migrated with `flask --app wsgi db upgrade`?"
        ) from error


def print_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = [list(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[position]) for line in table) for position in range(len(columns))]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def print_record(record: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(record, indent=2))
        return
    width = max(len(name) for name in record)
    for name, value in record.items():
        click.echo(f"{name.ljust(width)}  {_cell(value)}")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return str(value)


def collect_pages(load: Callable[..., Any]) -> list[Any]:
    """All rows of a paginated list."""
    rows: list[Any] = []
    cursor = None
    while True:
        page = load(limit=100, cursor=cursor)
        rows += page.items
        cursor = page.next_cursor
        if cursor is None:
            return rows
