"""Describes the commands for `ragauth/command/outline.json`; `python -m` writes that file."""

import json

import click
from flask import Flask
from flask.cli import FlaskGroup, ScriptInfo

from ragauth.command.outline import OUTLINE, ToldCommand, ToldParameter

_PLAIN = "plain"


def describe_all(app: Flask) -> dict[str, ToldCommand]:
    """All that `flask --app wsgi` has, by name."""
    group = flask_commands(app)
    with click.Context(group, obj=ScriptInfo(create_app=lambda: app)) as context:
        commands = {name: group.get_command(context, name) for name in group.list_commands(context)}
        return {name: _describe(command) for name, command in commands.items() if command}


def flask_commands(app: Flask) -> FlaskGroup:
    return FlaskGroup(name="flask", create_app=lambda: app, load_dotenv=False)


def as_text(commands: dict[str, ToldCommand]) -> str:
    return json.dumps(commands, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _describe(command: click.Command) -> ToldCommand:
    context = click.Context(command, info_name=command.name)
    told: ToldCommand = {"help": command.get_short_help_str(limit=1000)}
    if parameters := [_describe_parameter(context, each) for each in command.params]:
        told["parameters"] = parameters
    if isinstance(command, click.Group):
        members = {name: command.get_command(context, name) for name in command.commands}
        told["commands"] = {
            name: _describe(member) for name, member in members.items() if member is not None
        }
    return told


def _describe_parameter(context: click.Context, parameter: click.Parameter) -> ToldParameter:
    told: ToldParameter = {"name": parameter.name or ""}
    if isinstance(parameter, click.Option):
        told["options"] = [*parameter.opts, *parameter.secondary_opts]
        told["help"] = parameter.help
        if parameter.is_flag:
            told["is_flag"] = True
        if parameter.multiple:
            told["multiple"] = True
    if parameter.nargs != 1:
        told["nargs"] = parameter.nargs
    items = parameter.shell_complete(context, "")
    if values := [item.value for item in items if item.type == _PLAIN]:
        told["values"] = values
    for item in items:
        if item.type != _PLAIN:
            told["path"] = item.type
    return told


if __name__ == "__main__":
    from ragauth import create_app
    from ragauth.config import begin_command

    # Such a command needs no instance.
    begin_command()
    OUTLINE.write_text(as_text(describe_all(create_app())), encoding="utf-8")
