"""What metadata may be, and where it says what it may not be."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from marshmallow import ValidationError

from ragauth.schemas.base import RequestSchema, to_issues
from ragauth.schemas.metadata import Metadata
from tests.cases import for_each
from tests.costs import assert_linear

NUL = "May not contain NUL or lone surrogates"
NAME = "The name may not contain NUL or lone surrogates"
NUMBER = "Must be a number that a double can hold"
DEEP = "Must be nested at most 5 levels deep"
LONG = "Must be at most 4096 bytes long as compact JSON in UTF-8"
MANY = "Must have at most 50 names, in all its objects together"


class Thing(RequestSchema):
    metadata = Metadata(allow_none=True)


def faults(metadata: Any) -> list[tuple[list[str | int], str]]:
    """Path, below the field, and message of each fault."""
    try:
        loaded = Thing().load({"metadata": metadata})
    except ValidationError as error:
        found = list(to_issues(error.messages))
        assert all(fault["path"][0] == "metadata" for fault in found)
        return [(fault["path"][1:], fault["message"]) for fault in found]
    assert loaded == {"metadata": metadata}
    return []


def nested(depth: int, *, lists: bool = False) -> Any:
    value: Any = {}
    for _ in range(depth - 2):
        value = [value] if lists else {"a": value}
    return {"a": value}


class TestTakes:
    @for_each(
        "metadata",
        [
            None,
            {},
            {"": ""},
            {"text": "Zoë 李 \u202e \x1b", "yes": True, "no": False, "nothing": None, "list": []},
            {"numbers": [0, -1, 1.5, -0.0, 2**53 + 1, 10**308, 1.7976931348623157e308, 5e-324]},
            {"_schema": {"_schema": []}},
            {str(number): number for number in range(50)},
            nested(5),
            nested(5, lists=True),
        ],
    )
    def test_every_kind_of_value(self, metadata: Any) -> None:
        assert faults(metadata) == []

    @for_each(("character", "size"), [("a", 1), ("é", 2), ("李", 3), ("😀", 4)])
    def test_4096_bytes_of_utf_8(self, character: str, size: int) -> None:
        room = 4_096 - len('{"a":""}')
        text = character * (room // size) + "a" * (room % size)
        assert faults({"a": text}) == []
        assert faults({"a": text + "a"}) == [([], LONG)]

    def test_a_quote_takes_the_place_of_its_escape(self) -> None:
        assert faults({"a": '"' * 2_044}) == []
        assert faults({"a": '"' * 2_045}) == [([], LONG)]


class TestRefuses:
    @for_each("metadata", [[], "{}", 1, True, [{}]])
    def test_what_is_no_object(self, metadata: Any) -> None:
        assert faults(metadata) == [([], "Must be a JSON object")]

    @for_each(
        ("metadata", "path", "message"),
        [
            ({"a": "\0"}, ["a"], NUL),
            ({"a": [1, {"b": "x\ud800"}]}, ["a", 1, "b"], NUL),
            ({"a": {"b\0": 1}}, ["a", "b\0"], NAME),
            ({"\udfff": 1}, ["\udfff"], NAME),
            ({"_schema": {"_schema": "\0"}}, ["_schema", "_schema"], NUL),
            ({"a": json.loads("1e400")}, ["a"], NUMBER),
            ({"a": [json.loads("-1e400")]}, ["a", 0], NUMBER),
            ({"a": 10**309}, ["a"], NUMBER),
            ({"a": float("nan")}, ["a"], NUMBER),
            (nested(6), ["a"] * 5, DEEP),
            (nested(6, lists=True), ["a", 0, 0, 0, 0], DEEP),
            ({str(number): number for number in range(51)}, [], MANY),
            (
                {"a": {str(n): n for n in range(25)}, "b": [{str(n): n for n in range(24)}]},
                [],
                MANY,
            ),
        ],
    )
    def test_what_does_not_fit_at_its_place(
        self, metadata: Any, path: list[str | int], message: str
    ) -> None:
        assert faults(metadata) == [(path, message)]

    def test_all_faults_at_once(self) -> None:
        many = {str(number): "a" * 100 for number in range(50)}
        assert faults({**many, "a": "\0", "b": [1e999, nested(3)]}) == [
            (["a"], NUL),
            (["b", 0], NUMBER),
            ([], MANY),
            ([], LONG),
        ]

    def test_twenty_within_it_and_then_that_there_are_more(self) -> None:
        for many, told in ((20, 20), (21, 21), (400, 21)):
            found = faults({"a": ["\0"] * many})
            assert len(found) == told
            assert (([], "There are more faults") in found) is (told == 21)

    def test_what_is_nested_too_deeply_has_no_size(self) -> None:
        assert faults({"a": "a" * 5_000, "b": nested(5)}) == [(["b", "a", "a", "a", "a"], DEEP)]

    def test_a_credential_in_a_name_is_not_repeated(self) -> None:
        """S27: no key stands in an error."""
        name = "rag_live_" + "a1" * 18
        [(path, _)] = faults({name: "\0"})
        assert name not in str(path)


class TestCosts:
    """S37: the time grows with the bytes, and the answer does not."""

    @for_each(
        "text",
        [
            *("[[[[[]]]]],", '{"a":{"a":{"a":{}}}},', "[],", "{},", "1,", "1e400,", '"\\u0000",'),
            *("true,", '"",', "9" * 300 + ",", '"é",', '{"\\u0000":"\\u0000"},'),
        ],
    )
    def test_many_values(self, text: str) -> None:
        def prepare(length: int) -> Callable[[], object]:
            body = json.loads(f'{{"a":[{(text * (length // len(text.encode())))[:-1]}]}}')
            return lambda: faults(body)

        assert_linear(
            prepare, floor_seconds=0.04, first_length=64_000, lengths=(4_000, 16_000, 64_000)
        )
        name = "é" * 900
        told = faults({name: {name: {name: [json.loads(f"[{text[:-1]}]")] * 1_000}}})
        assert len(json.dumps(told)) < 64 * 1024

    @pytest.mark.parametrize("text", ['{"a":', "[", '[{"a":'])
    def test_deep_nesting(self, text: str) -> None:
        depth = 400
        value: Any = 1
        for _ in range(depth):
            value = [value] if text == "[" else {"a": value} if text == '{"a":' else [{"a": value}]
        [(path, message)] = faults({"a": value})
        assert (len(path), message) == (5, DEEP)
