"""`python -m bench`: measure everything in one run and hold it against the goals."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from bench import flood, growth, logins, results, revocation, starting, throughput, wrk
from bench.figures import Report
from bench.setting import Setting, progress
from tests.servers.postgres import start_postgres
from tests.servers.processes import memory_folder

_MEASUREMENTS: dict[str, Callable[[Setting, Report], None]] = {
    "throughput": throughput.measure,
    "growth": growth.measure,
    "flood": flood.measure,
    "logins": logins.measure,
    "revocation": revocation.measure,
    "start": starting.measure,
}
_NEEDED_MEGABYTES = 4096


@click.command()
@click.option("--quick", is_flag=True, help="Short rounds and small databases, to try it out.")
@click.option(
    "--only",
    type=click.Choice(list(_MEASUREMENTS)),
    multiple=True,
    help="Measure this alone; may be given more than once.",
)
@click.option("--rounds", type=click.IntRange(1), help="How often each contender has its turn.")
@click.option("--seconds", type=click.FloatRange(1), help="How long a turn takes.")
@click.option(
    "--break-revocation",
    is_flag=True,
    help="Serve keys from memory for a second, to see the revocation figure rise.",
)
def main(
    quick: bool,
    only: tuple[str, ...],
    rounds: int | None,
    seconds: float | None,
    break_revocation: bool,
) -> None:
    """Measure the service against its goals.

    Only a full run as it is meant, without any of the options, writes bench/results.md.
    """
    try:
        wrk.require_wrk()
    except wrk.WrkMissing as error:
        sys.exit(str(error))
    report = Report()
    with (
        tempfile.TemporaryDirectory(
            prefix="ragauth-bench-", dir=memory_folder(_NEEDED_MEGABYTES)
        ) as folder,
        start_postgres() as postgres,
    ):
        setting = Setting(
            folder=Path(folder),
            postgres=postgres,
            rounds=rounds or (1 if quick else 5),
            seconds=seconds or (1 if quick else 4),
            is_quick=quick,
            breaks_revocation=break_revocation,
        )
        try:
            for name in only or _MEASUREMENTS:
                with progress(name):
                    _MEASUREMENTS[name](setting, report)
        finally:
            # What is known stays known when a later measurement fails.
            click.echo(report.table())
            click.echo("\n" + "\n".join(report.notes))
        text = results.describe(setting, report)
    if not (quick or only or rounds or seconds or break_revocation):
        results.PATH.write_text(text)
        click.echo(f"\nwritten to {results.PATH}")


if __name__ == "__main__":
    main()
