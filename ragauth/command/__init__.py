"""The command `ragauth`: everything that `flask --app wsgi` has, under the same names.

`ragauth --help`, `--version` and the completion in a shell come from the outline: they import click
alone, and need no setting. To run a command, Flask's own group finds it, so a command behaves in
both programs alike.
"""

from typing import Any

import click

from ragauth.command.outline import read_outline, sketch
from ragauth.version import VERSION

# Ends that are no faults of the program, and that click handles.
_ENDS = (
    *(click.ClickException, click.exceptions.Exit, click.Abort),
    *(EOFError, BrokenPipeError),
)


class Ragauth(click.Group):
    """Lists sketches of the commands; a command is imported when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(read_outline())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        told = read_outline().get(cmd_name)
        return None if told is None else sketch(cmd_name, told)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        # Parsing is resilient only for completion, which a sketch is enough for.
        if name is not None and command is not None and not ctx.resilient_parsing:
            command = _load(ctx, name)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an unforeseen error is one line and exit code 1."""
        try:
            return super().invoke(ctx)
        except _ENDS:
            raise
        except Exception as error:
            if ctx.params["traceback"]:
                raise
            raise _Unforeseen(error) from error


class _Unforeseen(click.ClickException):
    def __init__(self, error: Exception) -> None:
        from ragauth.security.plain_text import escape_deceptive  # noqa: PLC0415

        text = escape_deceptive(f"{type(error).__name__}: {error}")
        super().__init__(f"{text} (`ragauth --traceback …` shows where it happened)")


def _load(ctx: click.Context, name: str) -> click.Command | None:
    """The command of this name, ready to run: the application is made, as `flask` makes it."""
    from flask.cli import FlaskGroup, ScriptInfo  # noqa: PLC0415

    from ragauth import create_app  # noqa: PLC0415
    from ragauth.config import begin_command  # noqa: PLC0415

    begin_command()
    ctx.obj = ScriptInfo(create_app=create_app)
    return FlaskGroup(load_dotenv=False).get_command(ctx, name)


@click.group("ragauth", cls=Ragauth)
@click.version_option(VERSION, prog_name="ragauth", message="%(prog)s %(version)s")
@click.option(
    "--traceback",
    is_flag=True,
    help="After an unforeseen error, show where in the program it happened.",
)
def ragauth(traceback: bool) -> None:
    """Serve ragauth, and administer it: accounts, API keys and the check of keys.

    Begin with `ragauth serve`. It keeps its data in the folder `instance` of the present folder,
    unless RAGAUTH_INSTANCE_DIR names another one. All settings are environment variables.
    """


def main() -> None:
    """What the program `ragauth` runs."""
    # `python -m ragauth` has no name that could be part of a variable's.
    ragauth(complete_var="_RAGAUTH_COMPLETE")
