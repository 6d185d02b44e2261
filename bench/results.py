"""Where the figures end up: the terminal, and bench/results.md after a full run."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psycopg

from bench.figures import Report
from bench.setting import THREADS, WORKERS, Setting
from bench.wrk import CONNECTIONS

PATH = Path(__file__).with_name("results.md")

_PACKAGES = ("gunicorn", "Flask", "SQLAlchemy", "psycopg", "lmdb", "bcrypt")


def describe(setting: Setting, report: Report) -> str:
    """The whole report in Markdown."""
    with psycopg.connect(setting.postgres.url("postgres")) as connection:
        postgres = connection.info.server_version // 10_000
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    notes = "\n".join(f"- {note}" for note in report.notes)
    return f"""# What it costs

Measured by `make bench` on {datetime.now(UTC):%Y-%m-%d}. Absolute values are this machine's and
differ from run to run; the ratios, taken within one run, are what to look at.

{report.table()}

## The values behind it

{notes}

## How it was measured

- Machine: {os.cpu_count()} cores ({_processor()}), {platform.system()} {platform.machine()},
  load {os.getloadavg()[2]:.1f} over the last 15 minutes (the benchmark's own included).
- Python {platform.python_version()}, {packages}, Postgres {postgres}, {_wrk_version()}.
- Every contender is a gunicorn of its own with {WORKERS} workers of {THREADS} threads: ragauth with
  `ragauth.gunicorn_conf`, the bare ones with gunicorn's own threaded worker and no log.
  All run on the same machine as the load and the databases. Files are in memory
  (`/dev/shm`) where there is room; Postgres runs with `fsync=off`.
- Requests/s and CPU: `wrk -t1 -c{CONNECTIONS}`, {setting.rounds} rounds of {setting.seconds:g} s;
  in each round every contender has its turn; medians of the rounds. Bare Flask is one route that
  returns a small dict. The databases have {setting.usual_keys:,} keys, four to an account; 4,000
  of them are asked in turn, counted and held against limits that are never reached. All answers
  are 200. CPU is user and system time of master and workers, background threads included, for one
  request; the Postgres server's own is given apart.
- Growth: 1,000 keys asked in turn, drawn evenly from the whole of either database.
- Flood: 4 connections ask 200 checks a second in all, at fixed times, from one Python process
  (wrk has no fixed rate, and would measure its own saturation). A wait counts from when its
  question was due if the connection was then still busy. Meanwhile wrk guesses passwords at 8 and
  32 connections, with the next guess as soon as the last is refused; bcrypt has cost 12, the
  limits on failed logins are off. Medians of each round's p99.
- Logins: 12 clients for each core log in again and again, wait as `Retry-After` says where there
  is no room, and are held against bcrypt alone in one process for each core, in turns.
- Revocation: 6 client processes present a key without a pause at 3 workers, over new connections;
  a try counts when the answer to the revocation was there before the try began.
  `python -m bench --only revocation --break-revocation` shows that the measurement can fail.
- Start: from the start of the gunicorn process to the end of its first answer 200.
- Memory: PSS (`/proc/<pid>/smaps_rollup`) of all processes after traffic, with 2 and 4 workers.
"""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _wrk_version() -> str:
    # It tells its version and then fails for want of a URL.
    told = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)  # noqa: S607
    return " ".join((told.stdout + told.stderr).split()[:2])
