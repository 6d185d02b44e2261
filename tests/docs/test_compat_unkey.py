"""docs/compat-unkey.md: its tables are what the face has."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from ragauth.blueprints.compat.unkey.unmapped import UNMAPPED
from ragauth.blueprints.compat.unkey.verification import CODES, DISABLED, VALID
from ragauth.errors import InsufficientScope
from ragauth.web.guards import demand_of
from tests.docs.markdown import ROOT, prose

PAGE = ROOT / "docs" / "compat-unkey.md"
_METHOD = re.compile(r"`([a-zA-Z]+\.[a-zA-Z]+)`")


@pytest.fixture(scope="module")
def text() -> str:
    return prose(PAGE)


def section(text: str, heading: str) -> str:
    return text.split(f"## {heading}\n")[1].split("\n## ", maxsplit=1)[0]


def test_each_method_stands_there_with_the_scope_that_it_needs(
    text: str, make_app: Callable[..., Flask]
) -> None:
    app = make_app(compat=("unkey",))
    told = {}
    for line in section(text, "Methods and the scope of each").splitlines():
        if line.startswith("| `"):
            methods, scope = line.strip("| ").split(" | ")
            told |= dict.fromkeys(_METHOD.findall(methods), scope.strip("`"))
    needed = {}
    for rule in app.url_map.iter_rules():
        declaration = getattr(app.view_functions[rule.endpoint], "declaration", None)
        if rule.rule.startswith("/compat/unkey/v2/") and declaration.is_documented:
            (refusal,) = (
                one
                for one in demand_of(declaration.guard).refusals
                if isinstance(one, InsufficientScope)
            )
            needed[rule.rule.rpartition("/")[2]] = refusal.details["required_scope"]
    assert told == needed


def test_each_code_stands_there_in_the_order_of_the_check(text: str) -> None:
    told = re.findall(r"^\| `([A-Z_]+)`", section(text, "verifyKey's codes"), re.MULTILINE)
    assert set(told) == {*CODES.values(), DISABLED, VALID}
    assert len(told) == len(set(told))


def test_what_has_no_counterpart_is_named_by_method_or_chapter(text: str) -> None:
    refused = section(text, "What is refused")
    named = set(re.findall(r"`([a-zA-Z.]+)`", refused))
    assert [one for one in UNMAPPED if not {one, one.partition(".")[0]} & named] == []
