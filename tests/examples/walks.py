"""Runs the examples that walk through the service with curl."""

import os
import re
import subprocess
import sys
import venv
from functools import partial

from tests.examples.stack import EXAMPLES
from tests.servers.caches import made_once


def run_walk(name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # A walk starts python3 a hundred times. It needs no packages, and no version manager before it.
    make = partial(venv.create, symlinks=True)
    bare = made_once("python", [sys.version, sys.base_prefix], make)
    return subprocess.run(
        ["/bin/bash", EXAMPLES / f"{name}.sh"],
        env={"PATH": f"{bare}/bin:{os.environ.get('PATH', os.defpath)}", **environment},
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
