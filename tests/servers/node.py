"""npm packages of the tests, as the lock file beside `package.json` pins them."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_PROJECT = Path(__file__).parents[1] / "generated"
MISSING = "npm is missing: apt-get install nodejs npm"
HAS_NPM = shutil.which("npm") is not None and shutil.which("node") is not None
_SECONDS = 300


def install_packages(folder: Path) -> Path:
    """Install the packages into a folder; returns its `node_modules`.

    npm keeps what it downloads in a cache outside of the project and checks it against the lock
    file's hashes each time. No script of a package is run.
    """
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_PROJECT / name, folder)
    cache = Path(tempfile.gettempdir()) / f"ragauth-npm-{os.getuid()}"
    run(
        "npm",
        "ci",
        "--ignore-scripts",
        "--prefer-offline",
        "--no-audit",
        "--no-fund",
        "--cache",
        str(cache),
        folder=folder,
    )
    return folder / "node_modules"


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
