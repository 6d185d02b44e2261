"""`make demo`, and what the sample servers say of a port that is taken."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.service import Installation
from tests.examples.stack import EXAMPLES, Customer
from tests.servers.gunicorn import PROJECT_ROOT
from tests.servers.processes import ServerProcess, free_port

_START_SECONDS = 120
_STOP_SECONDS = 60
_PATH = {"PATH": os.environ.get("PATH", os.defpath)}


def test_it_starts_all_of_it_and_one_signal_ends_it(tmp_path: Path) -> None:
    ports = {name: str(free_port()) for name in ("PORT", "DASHBOARD_PORT", "SERVICE_PORT")}
    ragauth, dashboard, service = (f"http://127.0.0.1:{port}" for port in ports.values())
    for last_signal in (signal.SIGINT, signal.SIGTERM):
        folder = tmp_path / last_signal.name
        folder.mkdir()
        process = ServerProcess(
            [sys.executable, "examples/demo.py"],
            folder=folder,
            environment={**_PATH, **ports, "RAGAUTH_INSTANCE_DIR": str(tmp_path / "instance")},
            cwd=PROJECT_ROOT,
            last_signal=signal.SIGTERM,
        )
        try:
            deadline = time.monotonic() + _START_SECONDS
            while "Ctrl-C ends all" not in process.log():
                assert process.exit_code() is None, process.log()
                assert time.monotonic() < deadline, process.log()
                time.sleep(0.05)
            words = process.log()
            for url in (dashboard, f"{ragauth}/docs", f"{service}/documents"):
                assert url in words
            assert httpx.get(f"{dashboard}/config.json").json()["api"] == ragauth
            _assert_only_the_dashboard_may_call(ragauth, ports["DASHBOARD_PORT"])
            with Customer(ragauth) as customer:
                _assert_the_curl_line_works(words, customer.key)
            last_keys = _keys_of_the_demo(tmp_path / "instance")
        finally:
            code = process.stop(last_signal, _STOP_SECONDS)
        assert code == 0, process.log()
        assert not any(_listens(port) for port in ports.values())
        assert len(last_keys) == 1


def _assert_only_the_dashboard_may_call(ragauth: str, port: str) -> None:
    for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}", "http://localhost:3000"):
        answer = httpx.get(f"{ragauth}/api/auth/me", headers={"Origin": origin})
        allowed = answer.headers.get("Access-Control-Allow-Origin")
        assert allowed == (origin if origin.endswith(port) else None)


def _assert_the_curl_line_works(words: str, key: str) -> None:
    found = re.search(r"^ +(curl .+)$", words, re.MULTILINE)
    assert found
    done = subprocess.run(
        ["/bin/bash", "-c", found[1]],
        env={**_PATH, "KEY": key},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert '"bytes":9' in done.stdout


def _keys_of_the_demo(instance: Path) -> list[str]:
    demo = Installation({"RAGAUTH_INSTANCE_DIR": str(instance)})
    return re.findall(r"^key_\w+", demo.command("service-keys", "list"), re.MULTILINE)


def _listens(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        # `-o`: whatever is out of date, a test must not make the environment anew that it runs in.
        (["make", "--no-print-directory", "-o", ".venv/.runnable", "run"], "PORT"),
        ([sys.executable, EXAMPLES / "demo.py"], "PORT"),
        ([sys.executable, EXAMPLES / "dashboard" / "serve.py"], "DASHBOARD_PORT"),
        ([sys.executable, EXAMPLES / "console" / "serve.py"], "CONSOLE_PORT"),
        ([sys.executable, EXAMPLES / "rag_service" / "app.py"], "SERVICE_PORT"),
    ],
    ids=["run", "demo", "dashboard", "console", "service"],
)
def test_a_port_that_is_none_or_taken_is_one_clear_line(
    command: list[str | Path], variable: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for port in (str(taken.getsockname()[1]), "65536", "eighty"):
            done = subprocess.run(
                command,
                env={**_PATH, variable: port, "RAG_SERVICE_BEHIND_GATEWAY": "true"},
                cwd=PROJECT_ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert done.returncode in (1, 2)
            lines = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
            assert len(lines) == 1, done.stderr
            assert lines[0].startswith(f"127.0.0.1:{port} cannot be served")
            assert done.stdout == ""
