"""Tables for people: in full width in a file, fitted to the width of a terminal."""

import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

from ragauth.security.plain_text import escape_deceptive

_GAP = 2
# Cells are cut to this width before a column is left out; an address needs more to be useful.
_LEAST = 10
_LEAST_OF = {"email": 20}
# Values that people copy into the next command are never cut.
_WHOLE = frozenset({"id", "account_id", "kid", "prefix"})
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DATE_LENGTH = len("2026-01-15")


def lay_out(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], *, width: int | None
) -> list[str]:
    """The lines of a table with a head; `columns` are in the order of their importance.

    Within a `width` (in terminal columns) times are shown as dates, long cells end in `…`, and
    columns without room are left out and named below. Without a `width` all is shown in full.
    """
    cells = {name: [_in_table(row[name], width) for row in rows] for name in columns}
    wanted = {
        name: max(map(columns_of, [name, *cells[name]]))  # at least the head
        for name in columns
    }
    widths = wanted if width is None else _fit(wanted, width)
    lines = []
    for position in range(-1, len(rows)):
        line = []
        for name, room in widths.items():
            cell = name if position < 0 else cells[name][position]
            is_number = position >= 0 and _is_number(rows[position][name])
            line.append(_pad(_cut(cell, room), room, right=is_number))
        lines.append((" " * _GAP).join(line).rstrip())
    hidden = [name for name in columns if name not in widths]
    if hidden:
        lines.append(f"no room for: {', '.join(hidden)} (--json has them)")
    return lines


def terminal_width() -> int | None:
    """The width of standard output in columns; None if it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def cell_of(value: Any) -> str:
    """A value for people, on one line: numbers with separators, invisible characters escaped."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if _is_number(value):
        return f"{value:,}"
    if isinstance(value, list):
        return escape_deceptive(", ".join(map(str, value))) or "-"
    if isinstance(value, dict):
        return escape_deceptive(json.dumps(value, ensure_ascii=False))
    return escape_deceptive(str(value))


def columns_of(text: str) -> int:
    """How many terminal columns a text takes: wide letters two, accents and joiners none."""
    return sum(map(_columns_of_character, text))


def _columns_of_character(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_table(value: Any, width: int | None) -> str:
    cell = cell_of(value)
    if width is not None and _MOMENT.fullmatch(cell):
        return cell[:_DATE_LENGTH]
    return cell


def _fit(wanted: dict[str, int], width: int) -> dict[str, int]:
    """The width of each column that is shown; the first one always is."""
    least = {
        name: room if name in _WHOLE else min(room, _LEAST_OF.get(name, _LEAST))
        for name, room in wanted.items()
    }
    shown = list(wanted)
    while len(shown) > 1 and _total(least[name] for name in shown) > width:
        shown.pop()
    room = {name: least[name] for name in shown}
    # Narrow columns first: the wider ones share the room that the narrow ones do not need.
    waiting = sorted(shown, key=lambda name: wanted[name] - least[name])
    spare = width - _total(room.values())
    for position, name in enumerate(waiting):
        given = min(wanted[name] - least[name], max(0, spare) // (len(waiting) - position))
        room[name] += given
        spare -= given
    return room


def _total(rooms: Any) -> int:
    rooms = list(rooms)
    return int(sum(rooms) + _GAP * (len(rooms) - 1))


def _cut(text: str, room: int) -> str:
    if columns_of(text) <= room:
        return text
    kept, taken = [], 0
    for character in text:
        taken += _columns_of_character(character)
        if taken > room - 1:
            break
        kept.append(character)
    return f"{''.join(kept)}…"


def _pad(text: str, room: int, *, right: bool) -> str:
    blanks = " " * (room - columns_of(text))
    return blanks + text if right else text + blanks
