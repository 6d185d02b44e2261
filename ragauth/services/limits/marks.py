"""Marks of stored limits: what else is known of one, which nobody is told.

Who reads limits, changes one and sends all of them back shall change that one alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: A key's own total: what is left of it can be set (`services.keys.credits`).
CREDITS = "credits"
#: A key's own day or month, the same.
REFILL = "refill"
#: An account's: while it has one, the limits of its plan do not hold.
NO_PLAN = "no_plan"
_MARKS = (CREDITS, REFILL, NO_PLAN)

Stored = Mapping[str, Any]


def is_marked(limit: Stored) -> bool:
    return any(limit.get(mark) for mark in _MARKS)


def keep_marks(held: Iterable[Stored], limits: Iterable[Stored]) -> list[dict[str, Any]]:
    """The new limits; of those that are held, one told as it was keeps its marks."""
    marked = {_told(limit): limit for limit in held if is_marked(limit)}
    return [dict(marked.get(_told(limit), limit)) for limit in limits]


def without_mark(limits: Sequence[Stored], mark: str) -> list[dict[str, Any]]:
    return [{name: limit[name] for name in limit if name != mark} for limit in limits]


def _told(limit: Stored) -> tuple[Any, ...]:
    return tuple(limit.get(name) for name in ("meter", "window", "size", "name"))
