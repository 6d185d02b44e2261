"""Long lists, one page at a time: how many rows, after which one, and how many in total."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from ragauth.cli.parameters import FieldType
from ragauth.models.base import Page

Command = TypeVar("Command", bound=Callable[..., Any])

_PAGE = 500

limit_option = click.option(
    "--limit",
    default=100,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many rows; 0 for all.",
)


def paged(after: FieldType) -> Callable[[Command], Command]:
    """Add the options of a list; `after` is the type of its ids."""

    def add_options(command: Command) -> Command:
        command = click.option(
            "--after", type=after, help="Continue after this row, the last one that was shown."
        )(command)
        return limit_option(command)

    return add_options


class Pages(NamedTuple):
    """Some rows of a list; `more` tells whether others follow."""

    rows: list[Any]
    more: bool


def collect_pages(load: Callable[..., Page[Any]], *, limit: int, after: Any = None) -> Pages:
    """The first `limit` rows of a paginated list; 0 means all."""
    rows: list[Any] = []
    cursor = after
    while True:
        page = load(limit=min(_PAGE, limit - len(rows)) if limit else _PAGE, cursor=cursor)
        rows += page.items
        cursor = page.next_cursor
        if cursor is None or len(rows) == limit:
            return Pages(rows, cursor is not None)


def tell_of_more(shown: int, total: int, *, after: str | None, as_json: bool) -> None:
    """Tell on standard error that more rows follow; a piped list has nothing but its rows."""
    if as_json:
        return
    further = f", or --after {after}" if after else ""
    click.echo(f"{shown:,} of {total:,}; --limit 0 for all{further}", err=True)
