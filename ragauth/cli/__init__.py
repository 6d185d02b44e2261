"""The operators' commands: `flask --app wsgi accounts|keys|service-keys|cleanup|backup ...`."""

from flask import Flask

from ragauth.cli.accounts import accounts
from ragauth.cli.backup import backup
from ragauth.cli.cleanup import cleanup
from ragauth.cli.keys import keys
from ragauth.cli.service_keys import service_keys


def register_commands(app: Flask) -> None:
    for command in (accounts, keys, service_keys, cleanup, backup):
        app.cli.add_command(command)
