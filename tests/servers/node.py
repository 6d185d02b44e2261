"""npm packages of the tests, as the lock file beside `package.json` pins them."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.caches import cache_folder, made_once

_PROJECT = Path(__file__).parents[1] / "generated"
# What the packages are.
PINNED = tuple(_PROJECT / name for name in ("package.json", "package-lock.json"))
MISSING = "npm is missing: apt-get install nodejs npm"
HAS_NPM = shutil.which("npm") is not None and shutil.which("node") is not None
_SECONDS = 300


def install_packages(folder: Path) -> Path:
    """Have the packages in a folder; returns its `node_modules`.

    They are installed once for each lock file, outside of the project, in a folder that nobody else
    can write to. No script of a package is run.
    """
    # It says how a program here is to be read.
    shutil.copy(_PROJECT / "package.json", folder)
    packages = folder / "node_modules"
    packages.symlink_to(made_once("npm", PINNED, _install) / "node_modules")
    return packages


def _install(folder: Path) -> None:
    for path in PINNED:
        shutil.copy(path, folder)
    options = ("--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
    run("npm", "ci", *options, "--cache", str(cache_folder("npm")), folder=folder)


def run(*command: str, folder: Path) -> str:
    """Run a program that must succeed; returns what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout
