"""Many cases in one test: where each is one cheap question, the set-up is most of what it costs."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any


def for_each(
    names: str | Sequence[str], cases: Iterable[Any], *, ids: Any = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `pytest.mark.parametrize`, but the cases come one after the other within one test.

    They share its fixtures, so they must not disturb each other. What fails tells its case.
    """
    keys = names.replace(" ", "").split(",") if isinstance(names, str) else list(names)
    listed = [_values(case, len(keys)) for case in cases]
    assert listed, "no cases, so nothing would be tested"

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def test_all(*arguments: Any, **fixtures: Any) -> None:
            for values in listed:
                case = dict(zip(keys, values, strict=True))
                try:
                    test(*arguments, **fixtures, **case)
                except BaseException as error:
                    error.add_note(f"The case: {case!r:.2000}")
                    raise

        # What pytest reads fixtures from.
        signature = inspect.signature(test)
        test_all.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[part for name, part in signature.parameters.items() if name not in keys]
        )
        return test_all

    return decorate


def _values(case: Any, count: int) -> Sequence[Any]:
    """Of a case as it is, or of a `pytest.param`."""
    if hasattr(case, "marks"):
        values: Sequence[Any] = case.values
        return values
    return (case,) if count == 1 else case
