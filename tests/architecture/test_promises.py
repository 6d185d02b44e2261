"""docs/security.md names tests that are there and that say which promise they keep."""

import ast
import re
from functools import cache
from pathlib import Path

from tests.cases import for_each

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = {
    int(number): re.findall(r"`([^`]+\.py[^`]*)`", line)
    for line in TEXT.splitlines()
    if (number := "".join(re.findall(r"^\| S(\d+) \|", line)))
}


@cache
def docstrings(path: Path) -> dict[str, str]:
    """What module, classes and functions of a file say, by `Class::function`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {"": ast.get_docstring(tree) or ""}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            said[node.name] = ast.get_docstring(node) or ""
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    said[f"{node.name}::{inner.name}"] = ast.get_docstring(inner) or ""
    return said


def test_every_promise_has_a_row() -> None:
    assert sorted(ROWS) == list(range(1, 52))


@for_each("number", ROWS)
def test_its_tests_are_there_and_name_it(number: int) -> None:
    assert ROWS[number]
    for test in ROWS[number]:
        path, _, name = test.partition("::")
        said = docstrings(TESTS / path)
        assert name in said, test
        assert re.search(rf"\bS{number}\b", said[name]), test
