"""Many cases in one test: each is tried, and each that fails is told."""

import inspect

import pytest

from tests.cases import for_each


def test_each_case_is_tried_with_the_fixtures_and_its_own_values() -> None:
    seen = []

    @for_each("one, other", [(1, "a"), (2, "b")])
    def test(fixture: str, one: int, other: str) -> None:
        seen.append((fixture, one, other))

    assert list(inspect.signature(test).parameters) == ["fixture"]
    test(fixture="f")
    assert seen == [("f", 1, "a"), ("f", 2, "b")]


def test_one_that_fails_tells_its_case_and_hides_no_other() -> None:
    @for_each("number", range(4))
    def test(number: int) -> None:
        if number == 3:
            pytest.fail("three")
        assert number % 2 == 0

    with pytest.raises(BaseExceptionGroup, match="2 of 4 cases") as failure:
        test()
    assert [error.__notes__ for error in failure.value.exceptions] == [
        ["The case: {'number': 1}"],
        ["The case: {'number': 3}"],
    ]


def test_one_alone_fails_as_it_is() -> None:
    @for_each("number", range(2))
    def test(number: int) -> None:
        assert number == 0

    with pytest.raises(AssertionError) as failure:
        test()
    assert failure.value.__notes__ == ["The case: {'number': 1}"]


def test_no_cases_are_a_fault() -> None:
    with pytest.raises(AssertionError, match="no cases"):
        for_each("number", [])
