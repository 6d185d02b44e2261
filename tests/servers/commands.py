"""A program that ends by itself, forked from a Python that has loaded the most of it."""

import os
import signal
import subprocess
from collections.abc import Mapping
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
