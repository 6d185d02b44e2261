"""The server, as a command."""

import os
import sys

import click

from ragauth.cli.output import Command
from ragauth.config import SettingsError, read_server_settings, server_environment

_GUNICORN = ("-m", "gunicorn", "-c", "python:ragauth.gunicorn_conf", "ragauth:create_app()")


@click.command("serve", cls=Command)
def serve() -> None:
    """Serve with gunicorn.

    It listens on HOST and PORT, with WEB_CONCURRENCY processes of WEB_THREADS threads each.
    gunicorn replaces this process: it gets the signals, and its exit code is this command's.
    """
    try:
        read_server_settings()
        environment = server_environment()
    except SettingsError as error:
        sys.exit(f"ragauth: {error}")
    os.execve(sys.executable, [sys.executable, *_GUNICORN], environment)  # noqa: S606
