"""The operators' commands: `flask --app wsgi accounts|keys|usage|status|…`.

A command parses, calls a service within one transaction and prints a table or JSON; a fault is one
line and an exit code that is not 0. The factory calls `register_commands`.
"""

from flask import Flask

from ragauth.cli.accounts import accounts
from ragauth.cli.after_restore import after_restore
from ragauth.cli.backup import backup
from ragauth.cli.cleanup import cleanup
from ragauth.cli.events import events
from ragauth.cli.keys import keys
from ragauth.cli.mail import mail
from ragauth.cli.reseal import reseal
from ragauth.cli.serve import serve
from ragauth.cli.service_keys import service_keys
from ragauth.cli.signing_keys import signing_keys
from ragauth.cli.status import status
from ragauth.cli.usage import usage


def register_commands(app: Flask) -> None:
    for command in (
        *(accounts, keys, usage, service_keys, signing_keys, events, mail),
        *(status, cleanup, reseal, backup, after_restore, serve),
    ):
        app.cli.add_command(command)
