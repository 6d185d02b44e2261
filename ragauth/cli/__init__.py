"""The operators' commands: `flask --app wsgi accounts|service-keys|mail|cleanup ...`."""

from flask import Flask

from ragauth.cli.accounts import accounts
from ragauth.cli.cleanup import cleanup
from ragauth.cli.keys import keys
from ragauth.cli.mail import mail
from ragauth.cli.service_keys import service_keys


def register_commands(app: Flask) -> None:
    for command in (accounts, keys, service_keys, mail, cleanup):
        app.cli.add_command(command)
