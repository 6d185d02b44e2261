"""A program that ends by itself, forked from a Python that has loaded the most of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from tests.servers.preloaded import fork_module

_MOST_BYTES = 1_000_000


class ForkedCommand:
    """`python -m MODULE`; as much of `subprocess.Popen` as a test needs.

    What it prints goes into memory, and so it never waits for who reads it.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: Mapping[str, str],
        cwd: Path,
        into: IO[str] | None = None,
        given: int | None = None,
    ) -> None:
        """`into` is a file for what it prints, `given` the file descriptor of its stdin."""
        self._printed, self._errors = (
            os.fdopen(os.memfd_create(name), "w+") for name in ("printed", "errors")
        )
        self._process = fork_module(
            module,
            arguments,
            environment=environment,
            cwd=cwd,
            output=(into or self._printed).fileno(),
            errors=self._errors.fileno(),
            given=given,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._printed.close()
        self._errors.close()

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        self._process.send_signal(number)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; `timeout` is in seconds."""
        return self._process.wait(timeout)

    def printed(self) -> str:
        """What it has printed so far."""
        # It writes at the place where a reader would leave the file.
        return os.pread(self._printed.fileno(), _MOST_BYTES, 0).decode()

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait for its end; returns what it has printed (but `into` a file) and said besides."""
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            raise
        with self:
            self._errors.seek(0)
            return self.printed(), self._errors.read()


# It hands on what it was called with, and its input and outputs.
_ASK = """#!{python} -IS
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    called = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(asked, [called], [0, 1, 2])
    asked.shutdown(socket.SHUT_WR)
    sys.exit(int(asked.recv(10)))
"""


@contextmanager
def forking_python(folder: Path) -> Iterator[Path]:
    """Yield a program that does what Python does with `-m MODULE`, without its long start.

    It is for scripts that run such commands; `folder` is where it is put.
    """
    program, address = folder / "python", folder / "asked"
    program.write_text(_ASK.format(python=sys.executable, address=str(address)))
    program.chmod(0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        thread = threading.Thread(target=_answer_all, args=(listener,))
        thread.start()
        yield program
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _answer_all(listener: socket.socket) -> None:
    while True:
        try:
            asked, _ = listener.accept()
        except OSError:
            return
        with asked:
            called, files, _, _ = socket.recv_fds(asked, _MOST_BYTES, 3)
            while more := asked.recv(_MOST_BYTES):
                called += more
            (option, module, *arguments), environment, cwd = json.loads(called)
            assert option == "-m"
            process = fork_module(
                *(module, arguments),
                environment=environment,
                cwd=Path(cwd),
                output=files[1],
                errors=files[2],
                given=files[0],
            )
            for file in files:
                os.close(file)
            asked.sendall(b"%d" % process.wait())
