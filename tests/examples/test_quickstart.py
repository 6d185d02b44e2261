"""examples/quickstart.sh against a real service, and against one that is wrong."""

import os
import subprocess
import sys
from pathlib import Path

from tests.examples.stack import EXAMPLES
from tests.servers.gunicorn import GunicornServer
from tests.servers.processes import free_port

# The walk starts python3 a hundred times: one that a version manager puts before it is slow.
_PATH = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"


def run_quickstart(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", EXAMPLES / "quickstart.sh"],
        env={"PATH": _PATH, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_walks_through_to_the_end_again_and_again_and_prints_no_secret(
    ragauth: GunicornServer,
) -> None:
    """S27"""
    for _ in range(2):
        walk = run_quickstart(RAGAUTH_URL=ragauth.url)
        assert walk.returncode == 0, walk.stdout[-2000:] + walk.stderr
        assert walk.stdout.endswith("quickstart: all as expected\n")
        assert walk.stderr == ""
        words = walk.stdout.replace('"', " ").replace("'", " ").split()
        assert [w for w in words if w.startswith(("eyJ", "rag_live_")) and len(w) > 20] == []
        assert "correct horse" not in walk.stdout


def test_it_stops_at_the_first_surprise(ragauth: GunicornServer) -> None:
    walk = run_quickstart(RAGAUTH_URL=f"{ragauth.url}/elsewhere")
    assert walk.returncode == 1
    assert "quickstart stopped: POST /api/auth/signup answered 404, expected 201" in walk.stderr
    assert "Log in" not in walk.stdout


def test_it_says_when_nothing_answers() -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    for where in ({"RAGAUTH_URL": url}, {"PORT": port}):
        walk = run_quickstart(**where)
        assert walk.returncode == 3
        assert f"quickstart stopped: {url} does not answer" in walk.stderr
