"""Many cases in one test: where each is one cheap question, the set-up is most of what it costs."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import pytest


def for_each(
    names: str | Sequence[str], cases: Iterable[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `pytest.mark.parametrize`, but the cases come one after the other within one test.

    They share its fixtures, so they must not disturb each other. All of them are tried; what fails
    tells its case.
    """
    keys = names.replace(" ", "").split(",") if isinstance(names, str) else list(names)
    listed = [(case,) if len(keys) == 1 else case for case in cases]
    assert listed, "no cases, so nothing would be tested"

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def test_all(*arguments: Any, **fixtures: Any) -> None:
            failures: list[BaseException] = []
            for values in listed:
                case = dict(zip(keys, values, strict=True))
                try:
                    test(*arguments, **fixtures, **case)
                # `pytest.fail` raises what is no Exception, as an interruption is none.
                except (Exception, pytest.fail.Exception) as error:
                    error.add_note(f"The case: {case!r:.2000}")
                    failures.append(error)
            if len(failures) == 1:
                raise failures[0]
            if failures:
                raise BaseExceptionGroup(f"{len(failures)} of {len(listed)} cases", failures)

        # What pytest reads fixtures from.
        signature = inspect.signature(test)
        test_all.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[part for name, part in signature.parameters.items() if name not in keys]
        )
        return test_all

    return decorate
