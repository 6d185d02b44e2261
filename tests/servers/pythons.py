"""The Pythons of this machine, and environments of them with the package in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.servers.caches import cache_folder
from tests.servers.gunicorn import PROJECT_ROOT

_SECONDS = 300
_RUNS = "import sys; sys.exit(sys.version_info[:2] != tuple(map(int, sys.argv[1].split('.'))))"


def find_python(version: str) -> str | None:
    """Return the Python of this version, such as "3.12", if this machine has one that runs."""
    for candidate in _candidates(version):
        # pyenv has programs of the right name that only say which versions there are.
        done = subprocess.run(
            [candidate, "-c", _RUNS, version], capture_output=True, check=False, timeout=60
        )
        if done.returncode == 0:
            return candidate
    return None


def _candidates(version: str) -> Iterator[str]:
    yield sys.executable
    if found := shutil.which(f"python{version}"):
        yield found
    # PATH has no more than those of pyenv that were chosen there.
    versions = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")) / "versions"
    yield from map(str, sorted(versions.glob(f"{version}.*/bin/python{version}")))


def install(wheel: Path, *, python: str, into: Path) -> Path:
    """Install a wheel and what it needs into a new environment; returns its folder of programs.

    The versions are those of `requirements/run.txt`; what the wheel demands must be among them.
    """
    pinned = str(PROJECT_ROOT / "requirements" / "run.txt")
    pip = (sys.executable, "-m", "pip", "--python", str(into / "bin" / "python"))
    cache = ("--cache-dir", str(cache_folder("pip")))
    for command in (
        (python, "-m", "venv", "--without-pip", str(into)),
        (*pip, "install", *cache, "--quiet", "--no-deps", "--require-hashes", "-r", pinned),
        (*pip, "install", *cache, "--quiet", "--no-deps", str(wheel)),
        (*pip, "check"),
    ):
        done = subprocess.run(
            command,
            # As `make install` has it: it may name a mirror, a proxy or certificates.
            env=os.environ,
            cwd=into.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return into / "bin"
