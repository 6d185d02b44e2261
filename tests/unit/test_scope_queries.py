"""Queries over scopes, held against Python's own `and` and `or`."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragauth.security.scope_queries import DEEPEST_QUERY, InvalidQuery, parse_query
from tests.cases import for_each

NAMES = ("docs.read", "docs:write", "admin", "a_b-c", "x1")
spaces = st.sampled_from(["", " ", "  ", "\t", "\n"])
some = st.sampled_from([" ", "  ", "\n"])


def joined(parts: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    """Two queries with an operator between, or one in parentheses: ours, and Python's."""

    def both(
        left: tuple[str, str], word: str, before: str, after: str, right: tuple[str, str]
    ) -> tuple[str, str]:
        return (
            f"{left[0]}{before}{word}{after}{right[0]}",
            f"{left[1]} {word.lower()} {right[1]}",
        )

    return st.one_of(
        st.builds(both, parts, st.sampled_from(["AND", "OR", "and", "Or"]), some, some, parts),
        st.builds(
            lambda inner, before, after: (f"({before}{inner[0]}{after})", f"({inner[1]})"),
            parts,
            spaces,
            spaces,
        ),
    )


names = st.sampled_from(NAMES).map(lambda name: (name, f"{name!r} in held"))
queries = st.recursive(names, joined, max_leaves=12)


@given(queries, st.sets(st.sampled_from(NAMES)))
def test_a_query_means_what_it_means_in_python(query: tuple[str, str], held: set[str]) -> None:
    ours, pythons = query
    assert parse_query(ours).is_met_by(held) == eval(pythons, {"held": held})  # noqa: S307


@for_each(
    ("query", "held", "is_met"),
    [
        ("a", (), False),
        ("a", ("a", "b"), True),
        ("a AND b", ("a",), False),
        ("a OR b AND c", ("a",), True),
        ("(a OR b) AND c", ("a",), False),
        ("(a OR b)AND(c)", ("b", "c"), True),
        ("Docs.Read", ("docs.read",), False),
        ("android OR order", ("order",), True),
    ],
)
def test_and_binds_stronger_than_or(query: str, held: tuple[str, ...], is_met: bool) -> None:
    assert parse_query(query).is_met_by(held) is is_met


@for_each(
    ("query", "message"),
    [
        ("", "At 1: a scope or ( expected, the end found"),
        ("   ", "At 4: a scope or ( expected, the end found"),
        ("a b", "At 3: AND, OR or the end expected, 'b' found"),
        ("a AND", "At 6: a scope or ( expected, the end found"),
        ("a OR AND b", "At 6: a scope or ( expected, 'AND' found"),
        ("(a", "At 3: AND, OR or ) expected, the end found"),
        ("(a b)", "At 4: AND, OR or ) expected, 'b' found"),
        ("()", "At 2: a scope or ( expected, ')' found"),
        ("a)", "At 2: AND, OR or the end expected, ')' found"),
        ("docs.*", "At 6: '*' is not a part of a query"),
        ("a AND  é", "At 8: 'é' is not a part of a query"),
        ("a & b", "At 3: '&' is not a part of a query"),
        ("a\0", "At 2: '\\x00' is not a part of a query"),
        ("1a", "At 1: '1' is not a part of a query"),
    ],
)
def test_a_fault_is_told_with_its_place(query: str, message: str) -> None:
    with pytest.raises(InvalidQuery) as raised:
        parse_query(query)
    assert str(raised.value) == message


def test_a_query_is_bounded_in_length_and_depth() -> None:
    assert parse_query("(" * DEEPEST_QUERY + "a" + ")" * DEEPEST_QUERY).is_met_by({"a"})
    with pytest.raises(InvalidQuery, match="At 21: more than 20 parentheses deep"):
        parse_query("(" * 21 + "a" + ")" * 21)
    assert parse_query("a" * 1000).is_met_by({"a" * 1000})
    with pytest.raises(InvalidQuery, match="at most 1000 characters"):
        parse_query("a" * 1001)


@given(st.text(alphabet="aA()D NORn.*é\0"))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    with suppress(InvalidQuery):
        assert parse_query(text).text == text
