"""Shows in one command whether all is well."""

import json
import logging

import click
from flask.cli import with_appcontext

from ragauth.cli.output import Command, as_json_option, one_line, one_line_faults
from ragauth.cli.tables import cell_of
from ragauth.services.operators.health import examine


@click.command("status", cls=Command)
@as_json_option
@click.pass_context
@with_appcontext
def status(ctx: click.Context, as_json: bool) -> None:
    """Show the state of database, counters, mail and background work.

    It asks them itself, so it works without a running service. If something is wrong, the exit code
    is 1; each fault is a line that begins with FAULT.
    """
    # The result is printed below; the log would repeat it.
    logging.disable(logging.ERROR)
    try:
        with one_line_faults():
            health = examine()
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        told = {"ok": not health.faults, "faults": health.faults, **health.parts}
        click.echo(json.dumps(told, indent=2))
    else:
        for name, part in health.parts.items():
            click.echo(name.replace("_", " "))
            width = max((len(key) for key in part), default=0)
            for key, value in part.items():
                click.echo(f"  {key.replace('_', ' ').ljust(width)}  {cell_of(value)}")
        for fault in health.faults:
            click.echo(f"FAULT  {one_line(fault)}")
        if not health.faults:
            click.echo("all is well")
    ctx.exit(1 if health.faults else 0)
