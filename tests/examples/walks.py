"""Runs the examples that walk through the service with curl."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.examples.stack import EXAMPLES

# A walk starts python3 a hundred times: one that a version manager puts before it is slow.
_PATH = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"


def run_walk(name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", EXAMPLES / f"{name}.sh"],
        env={"PATH": _PATH, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def assert_went_to_its_end(walk: subprocess.CompletedProcess[str], name: str) -> None:
    """As told, and without printing a secret."""
    assert walk.returncode == 0, walk.stdout[-2000:] + walk.stderr
    assert walk.stdout.endswith(f"{name}: all as expected\n")
    assert walk.stderr == ""
    words = walk.stdout.replace('"', " ").replace("'", " ").split()
    secrets = ("eyJ", "rag_live_", "rag_svc_")
    assert [word for word in words if word.startswith(secrets) and len(word) > 20] == []
    assert [word for word in words if re.fullmatch(r"[A-Za-z0-9_-]{43}", word)] == []
    assert "correct horse" not in walk.stdout
