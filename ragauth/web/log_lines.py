"""The form of log lines: JSON for programs, or plain text for a person at a terminal.

The choice is made once, when the process starts: lines for a person if stderr is a terminal.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from ragauth.web.log_writer import STANDARD_ERROR

# Fields that begin a person's line, and fields that a person does not need.
_SHOWN_APART = frozenset({"time", "level", "logger", "message", "exc_info", "stack_info", "pid"})


def is_for_people() -> bool:
    """Whether standard error is a terminal."""
    return os.isatty(STANDARD_ERROR)


def person_line(fields: Mapping[str, Any]) -> str:
    """Time (UTC), level, logger, message and the other fields; below, the stack if there is one.

    The text is ASCII without control characters, so that no client's text can move the cursor or
    begin a line. The lines of a stack are indented.
    """
    head = f"{_clock_of(str(fields['time']))} {fields['level']:<7} {fields['logger']}"
    rest = (
        f"{name}={_inert(value)}"
        for name, value in fields.items()
        if name not in _SHOWN_APART and value is not None
    )
    lines = [" ".join([f"{head}  {_inert_text(str(fields['message']))}", *rest])]
    for name in ("exc_info", "stack_info"):
        stack = str(fields.get(name) or "")
        lines += [f"    {_inert_text(line)}" for line in stack.splitlines()]
    return "\n".join(lines)


def _clock_of(time: str) -> str:
    """`10:30:00Z` of `2026-01-15T10:30:00.123456Z` or `2026-01-15T10:30:00+00:00`."""
    return f"{time[11:19]}Z"


def _inert(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    is_one_word = text.isascii() and text.isprintable() and " " not in text and '"' not in text
    return text if text and is_one_word else json.dumps(text)


def _inert_text(text: str) -> str:
    """As `_inert`, without quotes around it, for text that normally has spaces."""
    return text if text.isascii() and text.isprintable() else json.dumps(text)[1:-1]
