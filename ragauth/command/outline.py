"""The outline: names, helps and options of all commands, known without importing any of them.

A shell asks for completion at each Tab, so the answer must not wait for the application.
`make outline` writes outline.json, and a test holds it against the real commands.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

import click
from click.shell_completion import CompletionItem

OUTLINE = Path(__file__).with_name("outline.json")


class ToldParameter(TypedDict, total=False):
    """An option, or an argument, which has no `options`."""

    name: str
    options: list[str]
    help: str | None
    is_flag: bool
    multiple: bool
    nargs: int
    # Values that are offered; or, for a value that is a path, `file` or `dir`.
    values: list[str]
    path: str


class ToldCommand(TypedDict, total=False):
    """A command; a group has `commands` by name."""

    help: str
    parameters: list[ToldParameter]
    commands: "dict[str, ToldCommand]"


@cache
def read_outline() -> dict[str, ToldCommand]:
    outline: dict[str, ToldCommand] = json.loads(OUTLINE.read_text(encoding="utf-8"))
    return outline


def sketch(name: str, told: ToldCommand) -> click.Command:
    """A command that completes like the one that was described; it cannot be run."""
    shape: dict[str, Any] = {
        "help": told["help"],
        "params": [_sketch_parameter(each) for each in told.get("parameters", ())],
    }
    if "commands" not in told:
        return click.Command(name, **shape)
    members = {each: sketch(each, member) for each, member in told["commands"].items()}
    return click.Group(name, commands=members, **shape)


def _sketch_parameter(told: ToldParameter) -> click.Parameter:
    def complete(
        _context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        if "path" in told:
            return [CompletionItem(incomplete, type=told["path"])]
        offered = told.get("values", ())
        return [CompletionItem(value) for value in offered if value.startswith(incomplete)]

    shape: dict[str, Any] = {"nargs": told.get("nargs", 1), "shell_complete": complete}
    if "options" not in told:
        return click.Argument([told["name"]], required=False, **shape)
    if told.get("is_flag"):
        # Two options that exclude each other, `--x/--no-x`, complete as two names of one.
        return click.Option([told["name"], *told["options"]], is_flag=True, help=told["help"])
    return click.Option(
        [told["name"], *told["options"]],
        multiple=told.get("multiple", False),
        help=told["help"],
        **shape,
    )
