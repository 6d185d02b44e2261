"""The operators' commands: `flask --app wsgi accounts|keys|usage|status|…`.

A command parses its arguments, calls services, and prints a table or JSON. A fault is one line and
an exit code other than 0. The factory calls `register_commands`. The module of a command is
imported when the command is used.
"""

from importlib import import_module

import click
from flask import Flask
from flask.cli import AppGroup

_NAMES = (
    *("accounts", "keys", "usage", "service-keys", "signing-keys", "events", "mail", "webhooks"),
    *("status", "cleanup", "reseal", "backup", "after-restore", "policy", "serve"),
)


class _Commands(AppGroup):
    """Each command is in the module of its name: a server imports none, a command only its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_NAMES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _NAMES:
            return super().get_command(ctx, cmd_name)
        word = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"{__name__}.{word}"), word)
        return command


def register_commands(app: Flask) -> None:
    app.cli = _Commands(app.name)
