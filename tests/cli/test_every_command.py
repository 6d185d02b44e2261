"""What holds for every command of ours, whoever adds one."""

from collections.abc import Iterator

import click
import pytest
from flask import Flask

from tests.cli.conftest import Commands

# Flask's and Flask-Migrate's own.
_NOT_OURS = {"run", "shell", "routes", "db"}
# Two speak nothing else; the third is the server.
_JSON_LINES = {"events export", "events tail", "serve"}


def _walk(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and (path or name not in _NOT_OURS):
            yield (*path, name), command
            if isinstance(command, click.Group):
                yield from _walk(command, *path, name)


@pytest.fixture
def ours(sqlite_app: Flask) -> dict[str, click.Command]:
    """Each command and group by what is typed for it."""
    found = {" ".join(path): command for path, command in _walk(sqlite_app.cli)}
    assert len(found) > 15
    return found


def test_each_has_help(ours: dict[str, click.Command], sqlite_app: Flask) -> None:
    assert [name for name, command in ours.items() if not command.help] == []
    for name in ours:
        outcome = Commands(sqlite_app).succeed(*name.split(), "--help")
        assert outcome.output.startswith("Usage: "), name


def test_each_option_has_help(ours: dict[str, click.Command]) -> None:
    silent = [
        f"{name} {parameter.opts[0]}"
        for name, command in ours.items()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


def test_each_that_is_no_group_speaks_json(ours: dict[str, click.Command]) -> None:
    speechless = [
        name
        for name, command in ours.items()
        if not isinstance(command, click.Group)
        and name not in _JSON_LINES
        and not any("--json" in parameter.opts for parameter in command.params)
    ]
    assert speechless == []


def test_each_that_destroys_asks_first(ours: dict[str, click.Command]) -> None:
    words = ("delete", "revoke", "revoke-all", "end-sessions", "remove-second-factor", "retire")
    hasty = [
        name
        for name, command in ours.items()
        if name.split()[-1] in words
        and not any("--yes" in parameter.opts for parameter in command.params)
    ]
    assert hasty == []
