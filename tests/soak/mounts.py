"""Mounts that nobody else sees, and that go with the last process that does."""

import os
import shutil
import subprocess
import sys

_MARK = "RAGAUTH_SOAK_MOUNTS"


def has_mounts_of_its_own() -> bool:
    return _MARK in os.environ


def start_again_with_mounts_of_its_own(module: str) -> None:
    """Run this program anew where it can mount disks; does nothing where it may not.

    Linux allows it to root alone.
    """
    if has_mounts_of_its_own() or os.geteuid() != 0 or shutil.which("unshare") is None:
        return
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0:
        command = [*unshare, sys.executable, "-m", module, *sys.argv[1:]]
        os.execvpe(command[0], command, {**os.environ, _MARK: "1"})  # noqa: S606
