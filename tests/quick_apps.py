"""What each application works out anew although it comes out the same: the tests make many.

Werkzeug reads the URL of each route, and compiles two functions for it; SQLAlchemy compiles each
statement that is prepared. Together that is most of what an application costs.
"""

from collections.abc import Callable
from functools import cache
from re import Match, Pattern
from typing import Any

from sqlalchemy import Dialect, Select
from werkzeug.routing import Rule, rules

from ragauth.models import plain_rows
from ragauth.models.reads import prepared

_METHOD = "_compile_builder"
_write: Callable[[Rule, bool], Callable[..., tuple[str, str]]] = getattr(Rule, _METHOD)
_PARTS = "_part_re"
_SQL = "with_named_parameters"
_with_named_parameters = plain_rows.with_named_parameters
_compiled: dict[tuple[Select[Any], type[Dialect]], str] = {}


def write_builders_late() -> None:
    """Let each later route write its builders when they are needed."""
    setattr(Rule, _METHOD, _write_late)


def _write_late(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    written: list[Callable[..., tuple[str, str]]] = []

    def build(own: Rule, **values: object) -> tuple[str, str]:
        if not written:
            written.append(_write(rule, append_unknown))
        return written[0](own, **values)

    return build


def read_rules_once() -> None:
    """Let each URL of a route be taken apart once in this process."""
    setattr(rules, _PARTS, _MatchesOnce(getattr(rules, _PARTS)))


class _MatchesOnce:
    """A pattern that remembers what it found in the texts that it saw."""

    def __init__(self, pattern: Pattern[str]) -> None:
        self.match: Callable[[str, int], Match[str] | None] = cache(pattern.match)


def compile_statements_once() -> None:
    """Let a statement that each application prepares be compiled once for each kind of database."""
    for module in (plain_rows, prepared):
        setattr(module, _SQL, _sql)


def _sql(statement: Select[Any], dialect: Dialect) -> str:
    known = (statement, type(dialect))
    if known not in _compiled:
        _compiled[known] = _with_named_parameters(statement, dialect)
    return _compiled[known]
