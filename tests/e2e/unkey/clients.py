"""Unkey's official clients, of npm and of PyPI, pointed at a running service."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx

_WORD = re.compile(r"(?<=[a-z0-9])([A-Z])")
_SCRIPT = Path(__file__).with_name("calls.js")


class Answer(NamedTuple):
    """What a client returned, as JSON; or the class of what it threw, and the answer behind it."""

    body: Any
    error: str | None = None
    status: int | None = None


class OfficialClient(Protocol):
    def ask(self, root_key: str, method: str, body: Any) -> Answer:
        """Call a method such as `keys.createKey`."""


class OfPython:
    """`unkey-py`: its methods and arguments have underscores where the wire has capitals."""

    def __init__(self, url: str, transport: httpx.Client) -> None:
        from unkey.py import Unkey, errors  # noqa: PLC0415 - few tests need it

        self._error = errors.UnkeyError
        self._client_of = cache(
            lambda root_key: Unkey(
                root_key=root_key, server_url=url, client=transport, retry_config=None
            )
        )

    def ask(self, root_key: str, method: str, body: Any) -> Answer:
        chapter, name = (_with_underscores(word) for word in method.split("."))
        call = getattr(getattr(self._client_of(root_key), chapter), name)
        if isinstance(body, list):
            arguments = {"request": _renamed(body, "")}
        else:
            arguments = {_with_underscores(key): _renamed(body[key], key) for key in body}
        try:
            answer = call(**arguments)
        except self._error as error:
            return Answer(json.loads(error.body), type(error).__name__, error.status_code)
        answer = getattr(answer, "result", answer)
        return Answer(answer.model_dump(mode="json", by_alias=True, exclude_unset=True))


class OfNode:
    """`@unkey/api`, in a process that asks one thing after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, root_key: str, method: str, body: Any) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"rootKey": root_key, "method": method, "body": body})
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        if "error" not in told:
            return Answer(told["result"])
        return Answer(json.loads(told["body"]), told["error"], told["status"])


@contextmanager
def node_client(url: str, node_modules: Path) -> Iterator[OfNode]:
    """A process with Unkey's client, as long as the block lasts."""
    node = shutil.which("node")
    assert node is not None
    script = shutil.copy(_SCRIPT, node_modules.parent)
    with subprocess.Popen(
        [node, script, url],
        cwd=node_modules.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield OfNode(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def _with_underscores(name: str) -> str:
    return _WORD.sub(r"_\1", name).lower()


def _renamed(value: Any, name: str) -> Any:
    """A value as the client of Python takes it; `meta` is the caller's own."""
    if isinstance(value, dict) and name != "meta":
        return {_with_underscores(key): _renamed(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, name) for part in value]
    return value
