"""`python -m bench`: measure everything in one run and hold it against the goals."""

import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click

from bench import (
    checks,
    flood,
    gateway,
    growth,
    logins,
    memory,
    peers,
    results,
    revocation,
    routes,
    starting,
    wrk,
)
from bench.figures import Report
from bench.setting import Setting, disk_folder, progress

_MEASUREMENTS: dict[str, Callable[[Setting, Report], None]] = {
    "checks": checks.measure,
    "gateway": gateway.measure,
    "flood": flood.measure,
    "routes": routes.measure,
    "growth": growth.measure,
    "start": starting.measure,
    "memory": memory.measure,
    "logins": logins.measure,
    "revocation": revocation.measure,
}
# They are installed from PyPI first, so only who asks for them gets them.
_ON_REQUEST = {"peers": peers.measure}


@click.command()
@click.option("--quick", is_flag=True, help="Short rounds and small databases, to try it out.")
@click.option(
    "--only",
    type=click.Choice([*_MEASUREMENTS, *_ON_REQUEST]),
    multiple=True,
    help="Measure this alone; may be given more than once. `peers` is measured in no other way.",
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

    Only a full run as it is meant, without any of the options, writes bench/results.md and the
    figures in README.md.
    """
    try:
        wrk.require_wrk()
    except wrk.WrkMissing as error:
        sys.exit(str(error))
    report = Report()
    failures: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="ragauth-bench-", dir=disk_folder()) as folder,
        ExitStack() as servers,
    ):
        setting = Setting(
            folder=Path(folder),
            rounds=rounds or (1 if quick else 5),
            seconds=seconds or (1 if quick else 3),
            is_quick=quick,
            servers=servers,
            breaks_revocation=break_revocation,
        )
        for name in only or _MEASUREMENTS:
            try:
                with progress(name):
                    (_MEASUREMENTS | _ON_REQUEST)[name](setting, report)
            except Exception:  # what the others find is worth knowing; the run fails in the end
                traceback.print_exc()
                failures.append(name)
    text = results.describe(setting, report)
    click.echo(text)
    if failures:
        sys.exit(f"could not be measured: {', '.join(failures)}")
    if not (quick or only or rounds or seconds or break_revocation):
        results.PATH.write_text(text)
        results.publish()
        click.echo(f"written to {results.PATH}, and the figures to README.md")


if __name__ == "__main__":
    main()
