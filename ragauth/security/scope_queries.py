"""Queries over a key's scopes: names, `AND`, `OR` and parentheses, as a pure predicate."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

LONGEST_QUERY = 1000
DEEPEST_QUERY = 20
#: In large or small letters; no scope that is called so can be named.
QUERY_WORDS = ("AND", "OR")

_TOKEN = re.compile(r"\s*(?:(?P<name>[a-zA-Z][a-zA-Z0-9_.:-]*+)|(?P<sign>[()])|(?P<end>\Z))")
_END = "the end"


class InvalidQuery(ValueError):
    """A query that cannot be read; the text tells the user why, and where (counted from 1)."""


class _Any(NamedTuple):
    """OR."""

    parts: "tuple[_All, ...]"


class _All(NamedTuple):
    """AND of scopes and of what is in parentheses."""

    parts: tuple[str | _Any, ...]


@dataclass(frozen=True, slots=True)
class ScopeQuery:
    """What a key's scopes must be; `text` is the query as it was asked."""

    text: str
    parsed: _Any

    def is_met_by(self, scopes: Collection[str]) -> bool:
        return _is_met(self.parsed, scopes)


def parse_query(text: str) -> ScopeQuery:
    """Read a query such as `docs.read AND (docs.write OR admin)`.

    AND binds stronger than OR; both may be written in small letters. Up to 1,000 characters, and 20
    parentheses within one another. Raises InvalidQuery.
    """
    if len(text) > LONGEST_QUERY:
        raise InvalidQuery(f"A query has at most {LONGEST_QUERY} characters")
    tokens = _Tokens(text)
    parsed = _parse_any(tokens, depth=0)
    if tokens.next is not None:
        raise tokens.unexpected("AND, OR or the end")
    return ScopeQuery(text, parsed)


class _Tokens:
    """The words of a query, and the one that comes next: None at the end."""

    def __init__(self, text: str) -> None:
        self._found = _split(text)
        self.next: str | None = None
        self.position = 0
        self.advance()

    def advance(self) -> None:
        self.position, self.next = next(self._found)

    def take(self, word: str) -> bool:
        """Go on if the next word is this one."""
        if self.next is None or self.next.upper() != word:
            return False
        self.advance()
        return True

    def unexpected(self, expected: str) -> InvalidQuery:
        found = _END if self.next is None else repr(self.next)
        return InvalidQuery(f"At {self.position}: {expected} expected, {found} found")


def _split(text: str) -> Iterator[tuple[int, str | None]]:
    at = 0
    while True:
        found = _TOKEN.match(text, at)
        if found is None:
            at = len(text) - len(text[at:].lstrip())
            raise InvalidQuery(f"At {at + 1}: {text[at]!r} is not a part of a query")
        at = found.end()
        word = found["name"] or found["sign"]
        yield at - len(word or "") + 1, word
        if word is None:
            return


def _parse_any(tokens: _Tokens, depth: int) -> _Any:
    parts = [_parse_all(tokens, depth)]
    while tokens.take("OR"):
        parts.append(_parse_all(tokens, depth))
    return _Any(tuple(parts))


def _parse_all(tokens: _Tokens, depth: int) -> _All:
    parts = [_parse_part(tokens, depth)]
    while tokens.take("AND"):
        parts.append(_parse_part(tokens, depth))
    return _All(tuple(parts))


def _parse_part(tokens: _Tokens, depth: int) -> str | _Any:
    if tokens.take("("):
        if depth == DEEPEST_QUERY:
            raise InvalidQuery(f"At {tokens.position - 1}: more than {depth} parentheses deep")
        inner = _parse_any(tokens, depth + 1)
        if not tokens.take(")"):
            raise tokens.unexpected("AND, OR or )")
        return inner
    name = tokens.next
    if name is None or name in ("(", ")") or name.upper() in QUERY_WORDS:
        raise tokens.unexpected("a scope or (")
    tokens.advance()
    return name


def _is_met(query: _Any, scopes: Collection[str]) -> bool:
    return any(all(_has(scopes, part) for part in each.parts) for each in query.parts)


def _has(scopes: Collection[str], part: str | _Any) -> bool:
    return part in scopes if isinstance(part, str) else _is_met(part, scopes)
