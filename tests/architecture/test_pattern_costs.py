"""No pattern makes a text cost more than in proportion to its length (S37)."""

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import ragauth
from ragauth.security import key_format
from ragauth.web import cors
from tests.costs import assert_linear, repeated

SOURCE = Path(ragauth.__file__).parent
_METHODS = {"match", "fullmatch", "search", "sub", "split", "findall", "finditer"}

# Those that are made in a function: tests/architecture knows that there are no others.
_MADE_LATER = [
    ("key_format._pattern", key_format._pattern("rag"), "fullmatch"),
    ("cors._exactly", cors._exactly("https://app.example.com"), "match"),
]


def _named(module: ast.Module) -> Iterator[str]:
    """The dotted names of patterns that a module or a class in it compiles: `Moment._FORM`."""
    places = [("", module.body)]
    places += [
        (f"{node.name}.", node.body) for node in module.body if isinstance(node, ast.ClassDef)
    ]
    for prefix, body in places:
        for node in body:
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("re.compile("):
                yield prefix + ast.unparse(node.targets[0])


def _uses(module: ast.Module, name: str) -> set[str]:
    """Which of a pattern's methods a module calls."""
    return {
        node.attr
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
        and node.attr in _METHODS
        and ast.unparse(node.value).rpartition(".")[2] == name
    }


def _patterns() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Each pattern of the package, with each method that is called of it; else the dearest one."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "re.compile(" not in text:
            continue
        module = ast.parse(text)
        for dotted in _named(module):
            name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
            pattern: Any = importlib.import_module(name)
            for part in dotted.split("."):
                pattern = getattr(pattern, part)
            for method in sorted(_uses(module, dotted.rpartition(".")[2]) or {"search"}):
                yield f"{name.removeprefix('ragauth.')}.{dotted}", pattern, method
    yield from _MADE_LATER


def _texts(example: str) -> list[Callable[[int], str]]:
    """What makes a search go back: a text that fits, or its beginning, again and again; and one
    that fits but for one character, which stands there thousands of times.
    """
    places = range(1, len(example) + 1)
    # At the borders of what the pattern tells apart, and of a few at the beginning.
    borders = [
        place
        for place in places
        if place <= 4
        or place == len(example)
        or example[place - 1].isalnum() != example[place : place + 1].isalnum()
    ][:12]
    units = {example[:place] for place in borders} | set(" a0A_.")
    stretched = {(example[: place - 1], example[place - 1], example[place:]) for place in borders}
    made: list[Callable[[int], str]] = []
    for unit in sorted(units):
        for end in ("", "!", "\n"):
            made.append(lambda length, unit=unit, end=end: repeated(unit, length) + end)
    for before, character, after in sorted(stretched):
        for end in ("", "!"):
            made.append(
                lambda length, b=before, c=character, a=after, e=end: b + c * length + a + e
            )
    return made


def _assert_pattern_is_linear(pattern: re.Pattern[Any], method: str, example: str) -> None:
    call = getattr(pattern, method)
    for make in _texts(example):

        def prepare(length: int, make: Callable[[int], str] = make) -> Callable[[], object]:
            text: Any = make(length)
            if isinstance(pattern.pattern, bytes):
                text = text.encode("latin-1", "replace")
            if method == "sub":
                return lambda: call("", text)
            return lambda: list(call(text)) if method == "finditer" else call(text)

        # A pattern that looks at each of 2,000 characters from each one before it looks two million
        # times, which takes a millisecond.
        assert_linear(prepare, floor_seconds=0.000_25, first_length=2_000, lengths=(1_000, 4_000))


def _examples(pattern: re.Pattern[Any]) -> st.SearchStrategy[str]:
    """Texts that fit."""
    return st.from_regex(pattern).map(
        lambda text: text if isinstance(text, str) else text.decode("latin-1")
    )


_FEW = settings(
    max_examples=2,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_a_search_is_linear() -> None:
    """S37: whatever a client chose to be searched."""
    names = set()
    for name, pattern, method in _patterns():
        names.add(name)
        try:
            _try_examples(pattern, method)
        except AssertionError as error:
            error.add_note(f"The pattern: {name}.{method}")
            raise
    assert len(names) > 20
    assert {"security.redaction._TOKEN", "schemas.fields.Moment._FORM"} <= names


def _try_examples(pattern: re.Pattern[Any], method: str) -> None:
    @_FEW
    @given(_examples(pattern))
    def try_each(example: str) -> None:
        _assert_pattern_is_linear(pattern, method, example)

    try_each()


@pytest.mark.parametrize(
    "quadratic", [r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+", r"a+b", r"\s*,", r"[a-z]++_live"]
)
def test_a_search_that_is_not_linear_is_noticed(quadratic: str) -> None:
    with pytest.raises(AssertionError):
        _try_examples(re.compile(quadratic), "search")
