"""The Pythons of this machine, and environments of them with the package in it."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.servers.caches import cache_folder, locked
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
    # PATH has no more than those of pyenv that were chosen there.
    versions = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")) / "versions"
    yield from map(str, sorted(versions.glob(f"{version}.*/bin/python{version}")))
    if found := shutil.which(f"python{version}"):
        yield found


def install(wheel: Path, *, python: str, into: Path) -> Path:
    """Install a wheel and what it needs into a new environment; returns its folder of programs.

    The versions are those of `requirements/run.txt`. What the wheel demands must be among them: no
    index is asked for more.
    """
    pinned = _with_what_is_pinned(python)
    _make_environment(python, into)
    for found in sorted(pinned.glob("lib/python*/site-packages")):
        ours = into / found.relative_to(pinned)
        (ours / "pinned.pth").write_text(f"{found}\n")
    for program in (pinned / "bin").iterdir():
        ours = into / "bin" / program.name
        if not ours.exists():
            shutil.copy(program, ours)
            ours.write_text(ours.read_text().replace(str(pinned), str(into)))
    _pip_install(into, "--no-index", str(wheel))
    return into / "bin"


def _with_what_is_pinned(python: str) -> Path:
    """An environment with `requirements/run.txt`, made once for each such file and Python."""
    home = cache_folder("pip")
    pinned = PROJECT_ROOT / "requirements" / "run.txt"
    said = subprocess.run([python, "-VV"], capture_output=True, check=True, timeout=60).stdout
    # Not the environment that the tests run in, of which each clone has one.
    place = os.path.realpath(python).encode()
    name = hashlib.sha256(b"\0".join((pinned.read_bytes(), place, said))).hexdigest()
    made, is_whole = home / name, home / f"{name}.whole"
    with locked(home):
        if not is_whole.exists():
            shutil.rmtree(made, ignore_errors=True)
            _make_environment(python, made)
            options = ("--cache-dir", str(home), "--no-deps", "--require-hashes")
            _pip_install(made, *options, "-r", str(pinned))
            is_whole.touch()
    return made


def _make_environment(python: str, folder: Path) -> None:
    _run(python, "-m", "venv", "--without-pip", str(folder))


def _pip_install(environment: Path, *arguments: str) -> None:
    """Install without compiling: Python compiles what is imported, which is half of it."""
    pip = (sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"))
    _run(*pip, "--quiet", "install", "--no-compile", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(
        command,
        # As `make install` has it: it may name a mirror, a proxy or certificates.
        env=os.environ,
        cwd=PROJECT_ROOT.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
