"""The output of commands: a table for people, JSON for programs, one line for a failure."""

import errno
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from ragauth.cli.tables import cell_of, columns_of, lay_out, terminal_width
from ragauth.database_faults import describe_database_error
from ragauth.errors import InvalidRequest, RagauthError
from ragauth.policy import Limit, read_window
from ragauth.security.plain_text import escape_deceptive

T = TypeVar("T")

_PAGE = 100
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


class SeveralFaults(click.ClickException):
    """Several faults, each on a line of its own."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(map(one_line, lines)))


class Command(click.Command):
    """A command whose faults, click's own too, show text without its control characters."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _inert_faults():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _inert_faults(), _full_disks():
            returned = super().invoke(ctx)
            # Flush here, so that a failure becomes one clear line; at exit it would be a stack
            # trace.
            sys.stdout.flush()
            return returned


class Group(Command, AppGroup):
    """A group of commands; its own faults are shown in the same way."""


@contextmanager
def _inert_faults() -> Iterator[None]:
    try:
        yield
    except SeveralFaults:
        raise
    except click.ClickException as error:
        error.message = one_line(error.message)  # type: ignore[misc]
        raise


@contextmanager
def _full_disks() -> Iterator[None]:
    """Report in one line that the output goes to a file that cannot grow."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        if sys.__stdout__ is not None and sys.stdout is sys.__stdout__:
            # The rest of the buffer would fail again at exit, and change the exit code.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.__stdout__.fileno())
            os.close(nowhere)
        raise click.ClickException(f"cannot write: {error.strerror}") from error


@contextmanager
def one_line_faults() -> Iterator[None]:
    """Turn errors of the block into one line on standard error and exit code 1."""
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
        raise click.ClickException(describe_database_error(error)) from error


def confirm(question: str, *, yes: bool) -> None:
    """Continue only after `--yes` or a yes typed at the terminal."""
    if yes:
        return
    question = one_line(question)
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask on: confirm with --yes.")
    click.confirm(question, abort=True, err=True)


def show_progress(
    steps: Iterable[T], label: str, *, size: Callable[[T], int] | None = None, length: int = 0
) -> Iterator[T]:
    """Yield the same steps, with a progress bar if standard error is a terminal.

    The bar counts the steps or, with `size`, the size of each step, up to a total of `length`.
    """
    watched: Iterable[Any] = steps if size is None else range(length)
    with click.progressbar(
        watched, label=label, file=sys.stderr, hidden=not sys.stderr.isatty(), show_pos=True
    ) as bar:
        if size is None:
            yield from bar
            return
        for step in steps:
            yield step
            bar.update(size(step))


def print_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print a table of these columns, most important first; as JSON the whole rows."""
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for line in lay_out(rows, columns, width=terminal_width()):
        click.echo(line)


def print_record(record: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(record, indent=2))
        return
    width = max(columns_of(name) for name in record)
    for name, value in record.items():
        shown = [_in_words(limit) for limit in value] if name == "limits" and value else value
        click.echo(f"{name.ljust(width)}  {cell_of(shown)}")


def _in_words(limit: Mapping[str, Any]) -> str:
    """A limit of a key or an account: "5,000 tokens in all", "2 requests a minute (chat)"."""
    window = read_window(limit["window"])
    if limit["size"] is None:
        return f"no limit of {limit['meter']} {window.in_words}"
    name = f" ({limit['name']})" if limit.get("name") else ""
    return Limit(limit["meter"], window, limit["size"]).in_words + name


def print_change(sentence: str, record: dict[str, Any], *, as_json: bool) -> None:
    """Print what was done: a sentence for people, the changed object for programs."""
    click.echo(json.dumps(record, indent=2) if as_json else one_line(sentence))


def one_line(text: str) -> str:
    """Make text safe for a terminal: one line, with control and invisible characters spelled out.

    It may contain a customer's words.
    """
    return escape_deceptive(text)
