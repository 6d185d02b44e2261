"""PORT is where ragauth listens, for everything that serves it or calls it."""

import os
import shutil
import socket
import subprocess
import sys

import pytest

from tests.examples.stack import EXAMPLES
from tests.servers.gunicorn import PROJECT_ROOT
from tests.servers.processes import free_port

_PAGES = [("dashboard", "DASHBOARD_PORT"), ("console", "CONSOLE_PORT")]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program that ends by itself."""
    return subprocess.run(
        command,
        env={"PATH": os.environ.get("PATH", os.defpath), **environment},
        cwd=PROJECT_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")
@pytest.mark.parametrize(
    ("environment", "port"), [({}, "8000"), ({"PORT": ""}, "8000"), ({"PORT": "8123"}, "8123")]
)
def test_make_serves_and_calls_it_there(environment: dict[str, str], port: str) -> None:
    for arguments in ((), tuple(f"{name}={value}" for name, value in environment.items())):
        own = {} if arguments else environment
        served = run("make", "--dry-run", "run", *arguments, **own)
        assert f"HOST=127.0.0.1 PORT={port} exec" in served.stdout
        for program in ("dashboard", "console"):
            called = run("make", "--dry-run", program, *arguments, **own)
            assert f"PORT={port} exec" in called.stdout


@pytest.mark.parametrize(("page", "variable"), _PAGES)
def test_a_page_calls_it_there_and_says_when_its_own_port_is_taken(
    page: str, variable: str
) -> None:
    serve = (sys.executable, str(EXAMPLES / page / "serve.py"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(*serve, **{variable: port})
        assert done.returncode == 1
        assert done.stderr.startswith(f"127.0.0.1:{port} cannot be served: ")
        assert done.stderr.count("\n") == 1
    own = str(free_port())
    with subprocess.Popen(
        serve,
        env={"PORT": "8123", variable: own, "RAGAUTH_API": ""},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline(), process.stdout.readline()]
            assert f"is at http://127.0.0.1:{own} and calls http://127.0.0.1:8123 (" in lines[1]
        finally:
            process.kill()


def test_the_quickstart_calls_it_there(port_of_nobody: int) -> None:
    port = str(port_of_nobody)
    done = run("/bin/bash", str(EXAMPLES / "quickstart.sh"), PORT=port)
    assert done.returncode == 3
    assert f"http://127.0.0.1:{port}" in done.stderr
