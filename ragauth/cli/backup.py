"""A copy of the database of a running service."""

import shlex
from pathlib import Path

import click
from flask.cli import with_appcontext

from ragauth.cli.output import Command, as_json_option, one_line_faults, print_record
from ragauth.config.urls import read_url
from ragauth.extensions import settings
from ragauth.services.operators.backup import copy_sqlite


@click.command("backup", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@as_json_option
@with_appcontext
def backup(file: Path, as_json: bool) -> None:
    """Copy the SQLite database to FILE, which must not exist yet.

    The copy is consistent, and the service can run meanwhile. Back up the secret key too, in
    another place: without it the passwords and the sealed data in the database are useless. For
    Postgres use pg_dump.
    """
    if not settings().uses_sqlite:
        at = ", on the server itself and not through its pooler" if settings().is_pooled else ""
        raise click.UsageError(f"the database is Postgres; back it up{at} with: {_pg_dump(file)}")
    with one_line_faults():
        size = copy_sqlite(file)
    print_record({"file": str(file), "bytes": size}, as_json=as_json)


def _pg_dump(file: Path) -> str:
    """The command without the password, which libpq takes from PGPASSWORD or ~/.pgpass."""
    url = read_url(settings().database_url, ("postgresql",))
    query = {name: value for name, value in url.query.items() if "password" not in name}
    url = url._replace(password=None, query=query)
    return shlex.join(["pg_dump", "--format=custom", f"--file={file}", f"--dbname={url.text()}"])
