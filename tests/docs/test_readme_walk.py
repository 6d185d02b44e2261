"""The README's commands, run as they are: what a newcomer copies works."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.markdown import README, ROOT, blocks
from tests.examples.programs import INSTALLED_BY, find_program
from tests.servers.processes import ServerProcess, free_port

pytestmark = pytest.mark.skipif(
    find_program("nginx") is None, reason=f"nginx is missing: {INSTALLED_BY['nginx']}"
)

_START_SECONDS = 60
# Less than gunicorn's graceful timeout: Ctrl-C does not wait for it.
_STOP_SECONDS = 20
_END = "-- end of block --"
# The terminals that serve, and the port by which one tells that it does.
_PORT_OF = {"ragauth": "PORT", "service": "SERVICE_PORT", "gateway": "GATEWAY_PORT"}


class Newcomer:
    """Somebody with a fresh copy, no home, and a terminal for each server and one for curl."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._ports = {name: free_port() for name in _PORT_OF.values()}
        self._environment = {
            # Neither this test's environment nor /usr/sbin: an ordinary account's.
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            **{name: str(port) for name, port in self._ports.items()},
            # Nobody waits for the hashes.
            "RAGAUTH_BCRYPT_COST": "10",
        }
        self._curl = stack.enter_context(
            subprocess.Popen(
                ["/bin/bash"],
                cwd=folder,
                env={**self._environment, "PATH": f"{Path(sys.executable).parent}:{os.defpath}"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )

    def serve(self, terminal: str, text: str) -> None:
        """Type what starts a server, and wait until it listens."""
        log = self._folder.parent / f"{terminal}-log"
        log.mkdir()
        process = ServerProcess(
            ["/bin/bash", "-c", text],
            folder=log,
            environment=self._environment,
            cwd=self._folder,
            last_signal=signal.SIGTERM,
        )
        self._stack.callback(_interrupt, process)
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(self._ports[_PORT_OF[terminal]]):
            assert process.exit_code() is None, process.log()
            assert time.monotonic() < deadline, process.log()
            time.sleep(0.05)

    def type(self, text: str) -> str:
        """What the commands print."""
        assert self._curl.stdin
        assert self._curl.stdout
        self._curl.stdin.write(f"{text}\necho '{_END}'\n")
        self._curl.stdin.flush()
        printed = ""
        for line in self._curl.stdout:
            if line == f"{_END}\n":
                return printed
            printed += line
        raise AssertionError(f"the shell ended:\n{printed}")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _interrupt(process: ServerProcess) -> None:
    """Ctrl-C: it reaches make and all that it has started."""
    if process.exit_code() is None:
        os.killpg(process.pid, signal.SIGINT)
    process.stop(signal.SIGINT, _STOP_SECONDS)


def _fresh_copy(folder: Path) -> Path:
    """The project as cloned, with this environment's packages as installed ones."""
    ours = shutil.ignore_patterns(".*", "tests", "bench", "*.egg-info")
    copy = shutil.copytree(ROOT, folder / "ragauth", ignore=ours)
    for left in (copy / "instance").iterdir():
        if left.name != "README.md":
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    packages = copy / ".venv"
    packages.mkdir()
    for part in Path(sys.prefix).iterdir():
        if not part.name.startswith("."):
            (packages / part.name).symlink_to(part)
    (packages / ".runnable").touch()
    return copy


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    with ExitStack() as stack:
        yield Newcomer(_fresh_copy(tmp_path), stack)


def test_the_commands_print_what_stands_below_them(newcomer: Newcomer) -> None:
    """In the order of the README, each text exactly as it stands there."""
    compared = 0
    printed = ""
    for block in blocks(README):
        words = block.info.split()
        if words[:2] == ["sh", "run"] and words[2:]:
            newcomer.serve(words[2], block.text)
        elif words == ["sh", "run"]:
            printed = newcomer.type(block.text)
        elif block.info in ("json", "http"):
            shown = _lines(block.text)
            assert len(_lines(printed)) == len(shown), printed
            for line, expected in zip(_lines(printed), shown, strict=True):
                # The README shortens what differs each time.
                pattern = re.escape(expected).replace(r"\.\.\.", ".+?")
                assert re.fullmatch(pattern, line), f"{line}\nis not\n{expected}"
                compared += 1
    assert compared > 10
