"""The query of `authorize` says what a parser of all of it would say, at a fraction of its cost."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from ragauth.errors import InvalidRequest
from ragauth.policy import DEFAULT_POLICY, Policy, read_policy
from ragauth.schemas import scope_fields
from ragauth.schemas.checks import AuthorizeQuery
from ragauth.web.check import questions
from ragauth.web.check.questions import parse_authorize_query, parse_plain_body
from tests.cases import for_each
from tests.costs import cpu_seconds

AGENT = "agt_01h455vb4pex5vsknk084sn02q"
SCHEMA = AuthorizeQuery()
_escaped = st.sampled_from(["scope", "agent_id", "cost", "on_limit", "scop", "costs", "a", ""]).map(
    lambda name: "".join(f"%{ord(c):02X}" if ord(c) % 2 else c for c in name)
)
_names = st.one_of(
    st.sampled_from(["scope", "agent_id", "cost", "on_limit", "Scope", "scope+", "%6fn_limit"]),
    _escaped,
    st.text(max_size=6).map(lambda text: quote(text.encode("utf-8", "replace"))),
)
_values = st.one_of(
    st.sampled_from(
        [
            "query",
            "manage",
            "query+ingest",
            "query%20query",
            "query++",
            AGENT,
            "0",
            "7",
            "10001",
            "429",
            "403",
            "%71uery",
            "a=b",
        ]
    ),
    st.text(max_size=10).map(lambda text: quote_plus(text.encode("utf-8", "replace"))),
)
_parameters = st.one_of(
    st.tuples(_names, _values).map("=".join),
    _names,
    st.sampled_from(["", "=", "&", "x=scope=query"]),
)


@pytest.fixture(autouse=True, scope="module")
def _policy_of_the_schema() -> Iterator[None]:
    """The whole parse asks the running application for its policy, and here is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scope_fields, "current_policy", lambda: DEFAULT_POLICY)
        yield


def _expected(query_string: str) -> Any:
    """By a whole parse, as it was before."""
    pairs = [
        (name, value)
        for name, value in parse_qsl(query_string, keep_blank_values=True)
        if name in SCHEMA.fields
    ]
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        return {name for name in names if names.count(name) > 1}
    try:
        query = SCHEMA.load(dict(pairs))
    except ValidationError as error:
        return set(error.normalized_messages())
    agent_id = query["agent_id"]
    return (
        query["scope"],
        None if agent_id is None else agent_id.bytes,
        query["cost"],
        int(query["on_limit"]),
    )


def _found(query_string: str) -> Any:
    try:
        question, limit_status = parse_authorize_query(query_string, DEFAULT_POLICY)
    except InvalidRequest as error:
        return {issue["path"][0] for issue in error.details["issues"]}
    return question.scopes, question.agent_id, question.cost, limit_status


@given(st.lists(_parameters, max_size=5).map("&".join))
def test_it_says_what_a_whole_parse_says(query_string: str) -> None:
    assert _found(query_string) == _expected(query_string)


@for_each(
    "query_string",
    [
        *(
            "",
            "cost=",
            "scope",
            "%73%63%6F%70%65=query",
            "%6f%6E_limit=403",
            "a&&cost=3&",
            "&cost=3",
        ),
        *("cost=1&c%6fst=2", "cost=1&cost=2&scope=query&scope=query", "cost=%31", "cost=+1", "%=1"),
        *("scope=" + "%71" * 4_000, "x=" + "%41" * 4_000 + "&cost=2", "%25cost=1", "cost%3D1=1"),
        f"agent_id={AGENT}&scope=manage&on_limit=403&cost=10000",
    ],
)
def test_an_escape_is_what_it_stands_for(query_string: str) -> None:
    assert _found(query_string) == _expected(query_string)


def test_a_hundred_parameters_are_read_and_one_more_is_refused() -> None:
    query_string = "&".join(["cost=3", *(f"a{number}=1" for number in range(99))])
    assert parse_authorize_query(query_string, DEFAULT_POLICY)[0].cost == 3
    with pytest.raises(InvalidRequest, match="Too many query parameters"):
        parse_authorize_query(f"{query_string}&b=1", DEFAULT_POLICY)


@for_each(
    "spelling",
    ["a", "%41", "filter%5Ba%5D", "%73%63%6f%70%65x", "%61%67%65%6e%74%5f%69%64x", "scopes"],
)
def test_what_is_not_ours_costs_a_fraction_of_a_check(spelling: str) -> None:
    """S37: not the time that it takes to build the schema for each of them."""
    hostile = "&".join(f"{spelling}={number}" for number in range(99))
    calls = 100

    def prepare(length: int) -> Any:
        queries = [f"{hostile}&z={number}" for number in range(length)]
        return lambda: [parse_authorize_query(query, DEFAULT_POLICY) for query in queries]

    assert cpu_seconds(prepare, calls, rounds=3) / calls < 0.000_5


def test_what_is_remembered_is_short() -> None:
    """S37: a client's text fills no memory."""
    remembered = questions._remembered
    before = remembered.cache_info().currsize
    for number in range(100):
        parse_authorize_query(f"cost=1&{number}={'a' * 200}", DEFAULT_POLICY)
    assert remembered.cache_info().currsize == before


def test_what_is_remembered_is_of_one_policy() -> None:
    """Two applications in one process may have different policies."""
    other = read_policy(b'[scopes.read]\ndescription = "R"\n[scopes.query]\ndescription = "Q"\n')
    opened = Policy(other.scopes, other.meters, other.plans, open_scopes=True)
    body = b'{"key": "k", "scope": "read"}'
    for _ in range(2):
        for policy in (other, opened):
            assert parse_authorize_query("scope=read", policy)[0].scopes == ("read",)
            assert parse_plain_body(body, policy) is not None
        with pytest.raises(InvalidRequest):
            parse_authorize_query("scope=read", DEFAULT_POLICY)
        assert parse_plain_body(body, DEFAULT_POLICY) is None
        assert parse_authorize_query("scope=free:one", opened)[0].scopes == ("free:one",)
        with pytest.raises(InvalidRequest):
            parse_authorize_query("scope=free:one", other)
