"""What takes long where much has gathered: the export, the import of keys, the clean-up."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping

from bench import history
from bench.client import Caller
from bench.figures import Figure, Report
from bench.population import email
from bench.setting import Setting, serve
from tests.servers.gunicorn import PROJECT_ROOT

_EXPORT_SECONDS = 600
_IMPORTED = 100_000
_DEAD = 500_000
_QUICKLY = 20
_KEYS = 10_000
_ACCOUNTS = 1_000


def measure(setting: Setting, report: Report) -> None:
    """Time the three of them."""
    _measure_export(setting, report)
    _measure_import(setting, report)
    _measure_cleanup(setting, report)


def _measure_export(setting: Setting, report: Report) -> None:
    installation = setting.with_large_account()
    with serve(installation.environment) as server:
        caller = Caller(server.url, _EXPORT_SECONDS)
        token = caller.log_in(history.LARGE_ACCOUNT)
        began_at = time.monotonic()
        status, content = caller.ask("GET", "/api/auth/export", credential=token)
        seconds = time.monotonic() - began_at
        caller.close()
    if status != 200 or content.count(b'"key_') < history.KEYS * history.DAYS:
        raise RuntimeError(f"the export answered {status} with {len(content):,} bytes")
    title = f"export of an account, {history.KEYS} keys, {history.DAYS} days"
    report.figures.append(Figure(title, seconds, unit="s", at_most=10))
    report.notes.append(f"export: {len(content):,} bytes in {seconds:.1f} s")


def _measure_import(setting: Setting, report: Report) -> None:
    installation = setting.sqlite("imported", _KEYS)
    count = _IMPORTED // _QUICKLY if setting.is_quick else _IMPORTED
    file = setting.folder / "keys.csv"
    with file.open("w") as lines:
        lines.write("digest,owner,name\n")
        for number in range(count):
            digest = hashlib.sha256(f"a key from elsewhere {number}".encode()).hexdigest()
            lines.write(f"{digest},{email(number % _ACCOUNTS)},Imported {number}\n")
    seconds = _command(installation.environment, "keys", "import", str(file))
    report.figures.append(
        Figure("`keys import`, rows a second", count / seconds, unit="", at_least=10_000)
    )
    report.notes.append(
        f"`keys import`: {count:,} rows in {seconds:.1f} s, the start of the command included"
    )


def _measure_cleanup(setting: Setting, report: Report) -> None:
    installation = setting.sqlite("cleaned", _KEYS)
    count = _DEAD // _QUICKLY if setting.is_quick else _DEAD
    history.add_dead_rows(installation, sessions=count, events=count)
    seconds = _command(installation.environment, "cleanup")
    left = history.count_rows(installation)
    if left:
        raise RuntimeError(f"the clean-up left {left}")
    title = f"`cleanup` of {count:,} sessions and {count:,} events"
    report.figures.append(Figure(title, seconds, unit="s", at_most=10))


def _command(environment: Mapping[str, str], *arguments: str) -> float:
    """Seconds that a command of the operator takes, from its start to its end."""
    began_at = time.monotonic()
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
        env={"PATH": os.environ.get("PATH", os.defpath), **environment},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return time.monotonic() - began_at
