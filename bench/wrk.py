"""Load from wrk: how it is started and what it says."""

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.client import Caller

CONNECTIONS = 16

_SCRIPT = Path(__file__).with_name("rotate.lua")


class WrkMissing(Exception):
    """The load generator is not installed."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked in turn: the file has a line with credential and body for each request.

    `status` is what each must be answered with.
    """

    url: str
    method: str
    path: str
    file: Path
    status: int = 200


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk has seen in one run."""

    requests: int
    seconds: float
    refused: int
    broken: int
    p50: float
    p99: float

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def write_lines(file: Path, pairs: Iterable[tuple[str, str]]) -> Path:
    """Write pairs of credential and body as the script reads them."""
    file.write_text("".join(f"{credential}\t{body}\n" for credential, body in pairs))
    return file


def require_wrk() -> None:
    """Raise WrkMissing unless there is one."""
    if shutil.which("wrk") is None:
        raise WrkMissing("the benchmark needs wrk: apt-get install wrk")


def require_status(questions: Questions) -> None:
    """Raise unless the first question is answered as wanted: wrk takes a 302 for a success."""
    with questions.file.open() as file:
        credential, _, body = file.readline().rstrip("\n").partition("\t")
    caller = Caller(questions.url)
    status, content = caller.ask(
        questions.method,
        questions.path,
        credential=credential or None,
        body=json.loads(body) if body else None,
    )
    caller.close()
    if status != questions.status:
        raise RuntimeError(f"{questions.method} {questions.path}: {status} {content[:500]!r}")


def run(questions: Questions, *, seconds: float, connections: int = CONNECTIONS) -> Load:
    """Ask for so long (whole seconds, at least one) and expect nothing but what is wanted."""
    command = _command(questions, seconds, connections)
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    load = Load(**json.loads(done.stdout.splitlines()[-1]))
    refusals = load.requests if questions.status >= http.client.BAD_REQUEST else 0
    if load.refused != refusals or load.broken:
        raise RuntimeError(f"{questions.method} {questions.path}: not answered as wanted: {load}")
    return load


@contextmanager
def flooding(questions: Questions, *, seconds: float, connections: int) -> Iterator[None]:
    """Ask in the background, whatever the answers are, for as long as the block lasts."""
    command = _command(questions, seconds, connections)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            yield
            if process.poll() is not None:
                raise RuntimeError("the flood ended too early")
        finally:
            process.kill()


def _command(questions: Questions, seconds: float, connections: int) -> list[str]:
    return [
        *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"),
        *("-s", str(_SCRIPT), questions.url + questions.path, "--"),
        *(questions.method, questions.path, str(questions.file)),
    ]
