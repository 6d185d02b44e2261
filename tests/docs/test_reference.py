"""docs/reference.md and the lists that it leads to have what the code has, each of it once."""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import takewhile
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from ragauth.command.outline import ToldCommand, read_outline
from ragauth.errors import AuthenticationFailed, AuthorizationFailed, RagauthError
from ragauth.services.audit import EventName
from tests.clients import Client
from tests.docs.markdown import ROOT, prose

REFERENCE = ROOT / "docs" / "reference.md"
OPERATIONS = ROOT / "docs" / "operations.md"
_WITH_REDIS_ALONE = "ragauth_redis_up"
_WORD = re.compile(r"[a-z][a-z-]*")
# Of alembic's own commands an operator needs two.
_OF_DEVELOPERS = re.compile(r"db (?!upgrade$|current$).*")


def _first_cells(document: Path, title: str) -> list[str]:
    """The first cells of the first table below a line of text."""
    table = prose(document).split(f"\n{title}\n")[1].split("\n| ", maxsplit=1)[1].split("\n\n")[0]
    return [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]


def _in_code(cells: Iterable[str]) -> list[str]:
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def _leaves(error: type[RagauthError]) -> Iterator[type[RagauthError]]:
    yield error
    for child in error.__subclasses__():
        if child.__module__.startswith("ragauth."):
            yield from _leaves(child)


def _reasons(family: type[AuthenticationFailed] | type[AuthorizationFailed]) -> set[str]:
    return {
        error.reason
        for error in _leaves(family)
        if issubclass(error, AuthenticationFailed | AuthorizationFailed) and error is not family
    }


def _commands(commands: Mapping[str, ToldCommand], before: str = "") -> Iterator[str]:
    for name, told in commands.items():
        if "commands" in told:
            yield from _commands(told["commands"], f"{before}{name} ")
        else:
            yield before + name


def _listed_commands(known: Set[str]) -> Iterator[str]:
    """The commands of the table: after `a b X` also `c` is one, `a c`."""
    group = ""
    for shown in _in_code(_first_cells(OPERATIONS, "## Commands")):
        name = " ".join(takewhile(_WORD.fullmatch, shown.split()))
        yield name if name in known else f"{group} {name}"
        group = name.partition(" ")[0] if name in known else group


class TestErrors:
    def test_each_code_is_listed_once_with_each_status(self) -> None:
        rows = prose(REFERENCE).split("\n## Errors\n")[1].split("\n## ")[0]
        listed = re.findall(r"^\| `([A-Z_]+)` \| ([\d, ]+) \|", rows, re.MULTILINE)
        told = {(code, int(status)) for code, both in listed for status in both.split(", ")}
        assert told == {(error.code, error.status) for error in _leaves(RagauthError)}
        assert len({code for code, _ in listed}) == len(listed)

    def test_each_reason_is_listed_once(self) -> None:
        unauthenticated = _in_code(_first_cells(REFERENCE, "The reasons of a 401:"))
        assert sorted(unauthenticated) == sorted(_reasons(AuthenticationFailed))
        forbidden = _in_code(_first_cells(REFERENCE, "The reasons of a 403:"))
        assert sorted(forbidden) == sorted(_reasons(AuthorizationFailed))


class TestEvents:
    def test_each_is_listed_once(self) -> None:
        assert sorted(_in_code(_first_cells(REFERENCE, "## Events"))) == sorted(EventName)


class TestMetrics:
    def test_each_is_listed_once(self, client: Client) -> None:
        names = set()
        for family in text_string_to_metric_families(client.get("/metrics").text):
            names.add(f"{family.name}_total" if family.type == "counter" else family.name)
        listed = _in_code(_first_cells(OPERATIONS, "## Watching it"))
        assert len(listed) == len(set(listed))
        assert set(listed) == names | {_WITH_REDIS_ALONE}


class TestCommands:
    def test_each_is_listed(self) -> None:
        known = {name for name in _commands(read_outline()) if not _OF_DEVELOPERS.fullmatch(name)}
        assert set(_listed_commands(known)) == known
