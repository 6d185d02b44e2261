"""`python -m tests.soak`: rounds of load and faults until the time is over."""

import random
import re
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.servers.processes import memory_folder
from tests.soak.mounts import start_again_with_mounts_of_its_own
from tests.soak.rounds import Soak, table
from tests.soak.stage import KINDS

_ROUND_SECONDS = 300.0
_LEAST_SECONDS = 40.0
_NEEDED_MEGABYTES = 1024


@click.command()
@click.option("--minutes", type=click.FloatRange(0.5, 24 * 60), default=30, help="How long.")
@click.option("--seed", type=int, help="What decides the faults and the load; random if left out.")
@click.option("--only", default="", help="Faults whose name this pattern finds alone.")
@click.option("--kind", default="", help="Rounds of the kinds alone whose name this pattern finds.")
@click.option("--logs", type=click.Path(path_type=Path), help="Where logs are kept.")
def main(minutes: float, seed: int | None, only: str, kind: str, logs: Path | None) -> None:
    """Ask a service everything at once while what it needs fails; exit 1 for a broken promise."""
    # As Ctrl-C: what was started is ended, and what was stopped goes on before that.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    logs = Path(tempfile.mkdtemp(prefix="ragauth-soak-logs-")) if logs is None else logs
    click.echo(f"seed {seed}, {minutes:g} minutes, logs in {logs}")
    rng = random.Random(seed)
    # More threads than a program of this kind has by default: none waits long for its turn.
    sys.setswitchinterval(0.0005)
    soak = Soak(seed, logs, lambda fault: bool(re.search(only, fault.name, re.IGNORECASE)))
    kinds = [name for name in KINDS if re.search(kind, name, re.IGNORECASE)]
    if not kinds:
        raise click.UsageError(f"no kind of stage has {kind!r} in its name: {', '.join(KINDS)}")
    rng.shuffle(kinds)
    until = time.monotonic() + minutes * 60
    number = 0
    is_finished = False
    try:
        while number == 0 or until - time.monotonic() > _LEAST_SECONDS:
            number += 1
            chosen = kinds[number % len(kinds)]
            click.echo(f"\nround {number}: {chosen}")
            with tempfile.TemporaryDirectory(
                prefix="ragauth-soak-", dir=memory_folder(_NEEDED_MEGABYTES)
            ) as folder:
                seconds = min(_ROUND_SECONDS, until - time.monotonic())
                soak.play(number, chosen, seconds, Path(folder))
        is_finished = True
    finally:
        summary = table(soak) + ("" if is_finished else "\nended before its time")
        (logs / "summary").write_text(f"seed {seed}, {minutes:g} minutes\n{summary}\n")
        click.echo(f"\n{summary}")
        chosen_by = "".join(
            f" {name}={shlex.quote(value)}"
            for name, value in (("ONLY", only), ("KIND", kind))
            if value
        )
        click.echo(f"again: make soak MINUTES={minutes:g} SEED={seed}{chosen_by}; logs in {logs}")
    sys.exit(1 if soak.oracle.broken else 0)


if __name__ == "__main__":
    start_again_with_mounts_of_its_own("tests.soak")
    main()
