"""Reads a file of keys from another system; its content decides on CSV, JSON or JSON lines."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

REQUIRED = ("digest", "owner", "name")
FIELDS = (
    *REQUIRED,
    "hashed",
    "text_before",
    "prefix",
    "environment",
    "scopes",
    "expires_at",
    "managed",
)
_BY_FORM = {field.replace("_", ""): field for field in FIELDS} | {
    "keydigest": "digest",
    "hash": "digest",
    "keyhash": "digest",
    "sha256": "digest",
    "owneremail": "owner",
    "email": "owner",
    "accountid": "owner",
    "keyname": "name",
}
_RAW_KEY = frozenset({"key", "apikey", "rawkey", "secret", "secretkey", "token"})

_BOMS = (
    # UTF-32-LE comes first: its byte order mark begins with that of UTF-16-LE.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_DELIMITERS = ",;\t|"
_ANY_DELIMITER = re.compile(r"[,;\t|]")
_FILLERS = re.compile(r"[\s_-]")
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}|[A-Za-z0-9+/_-]{43}=?")
_WANTED = (
    f"the first line must name the columns: {', '.join(REQUIRED)} and, where wanted,"
    f" {', '.join(FIELDS[len(REQUIRED) :])}"
)
_SHOWN_COLUMNS = 5
_SHOWN_LENGTH = 40
_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


class UnreadableFile(Exception):
    """The file as a whole is faulty; the message tells why in one sentence."""


class Entry(NamedTuple):
    """One key of the file. `place` is `line 3`, or `entry 3` of a JSON array."""

    place: str
    values: dict[str, Any]


def read_entries(data: bytes, name: str) -> list[Entry]:
    """The keys of a file; an empty value counts as not given.

    The content decides on the format, and the file's ending only if the content does not. Raises
    UnreadableFile.
    """
    text = _decode(data)
    if not text.strip():
        raise UnreadableFile("the file is empty")
    if text.lstrip()[0] in "[{":
        entries = list(_read_json(text))
    elif Path(name).suffix.lower() in _JSON_SUFFIXES and not _has_header(text):
        raise UnreadableFile("the file is no JSON: it begins with neither { nor [")
    else:
        entries = list(_read_csv(text))
    if not entries:
        raise UnreadableFile("there are no keys in the file")
    return entries


def _decode(data: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableFile(_why_no_text(data, error)) from error
    if "\0" in text:
        raise UnreadableFile(_why_no_text(data, None))
    return text


def _why_no_text(data: bytes, error: UnicodeDecodeError | None) -> str:
    if error is None or b"\0" in data[:4096]:
        return "the file is no text; save it as CSV or JSON in UTF-8"
    line = data.count(b"\n", 0, error.start) + 1
    return f"line {line} is not UTF-8; save the file in that encoding"


def _read_json(text: str) -> Iterator[Entry]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        # In a file of JSON lines, the first line is a whole object.
        if not _is_object(text.lstrip().partition("\n")[0]):
            raise UnreadableFile(f"the file is no JSON: {_json_fault(error)}") from error
        yield from _read_json_lines(text)
        return
    if isinstance(document, list):
        entries = document
    else:
        lists = [value for value in document.values() if isinstance(value, list)]
        fields = {_form(name) for name in document} - {None}
        if "digest" not in fields and len(lists) == 1:
            (entries,) = lists
        elif fields:
            yield Entry("line 1", _from_json(document))
            return
        else:
            raise UnreadableFile("the file is one JSON object without a list of keys in it")
    for number, value in enumerate(entries, 1):
        yield Entry(f"entry {number}", _from_json(value))


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _read_json_lines(text: str) -> Iterator[Entry]:
    # Not splitlines(), which also splits at characters that a JSON string may contain.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UnreadableFile(f"line {number} is no JSON: {_json_fault(error)}") from error
        yield Entry(f"line {number}", _from_json(value))


def _json_fault(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else "it is nested too deeply"


def _from_json(value: Any) -> Any:
    """Rename an object's fields to the schema's names; leave any other value to the schema."""
    if not isinstance(value, dict):
        return value
    return _named({_form(name) or name: each for name, each in value.items()})


def _read_csv(text: str) -> Iterator[Entry]:
    delimiter = _find_delimiter(text.lstrip().splitlines()[0])
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    header: list[str] | None = None
    line = 1
    try:
        for row in rows:
            place, line = f"line {line}", rows.line_num + 1
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if header is None:
                header = _read_header(cells)
            elif any(cells[len(header) :]):
                raise UnreadableFile(
                    f"{place} has {len(cells)} cells, and the header {len(header)} columns;"
                    " put quotes around what holds the delimiter"
                )
            else:
                yield Entry(place, _named(dict(zip(header, cells, strict=False))))
    except csv.Error as error:
        raise UnreadableFile(f"line {line} is no CSV: {error}") from error


def _has_header(text: str) -> bool:
    cells = _ANY_DELIMITER.split(text.lstrip().splitlines()[0])
    return any(_form(cell.strip(' "')) for cell in cells)


def _find_delimiter(line: str) -> str:
    """The delimiter that splits the header into the most known columns."""

    def known(delimiter: str) -> tuple[int, int]:
        cells = line.split(delimiter)
        return sum(_form(cell.strip(' "')) is not None for cell in cells), len(cells)

    return max(_DELIMITERS, key=known)


def _read_header(cells: Sequence[str]) -> list[str]:
    """The fields in the order of the columns; raises UnreadableFile if this is no header."""
    while cells and not cells[-1]:
        cells = cells[:-1]
    fields = [_form(cell) for cell in cells]
    raw = next((cell for cell in cells if _plain(cell) in _RAW_KEY), None)
    missing = [field for field in REQUIRED if field not in fields]
    if raw is not None and "digest" not in fields:
        raise UnreadableFile(
            f"the column {_quoted(raw)} seems to hold keys; give their SHA-256 as digest instead"
        )
    if not any(fields) or any(map(_DIGEST.fullmatch, cells)):
        raise UnreadableFile(f"the file has no header; {_WANTED}")
    if None in fields:
        unknown = [cell for cell, field in zip(cells, fields, strict=True) if field is None]
        listed = ", ".join(map(_quoted, unknown[:_SHOWN_COLUMNS]))
        raise UnreadableFile(f"the header names what is no column: {listed}; {_WANTED}")
    if missing:
        raise UnreadableFile(f"the header lacks {', '.join(missing)}; {_WANTED}")
    if len(set(fields)) < len(fields):
        raise UnreadableFile("two columns of the header mean the same")
    return [field for field in fields if field is not None]


def _quoted(cell: str) -> str:
    return repr(cell[:_SHOWN_LENGTH])


def _plain(name: str) -> str:
    return _FILLERS.sub("", name).lower()


def _form(name: str) -> str | None:
    """The field for a column's name; case, spaces, `_` and `-` do not matter."""
    return _BY_FORM.get(_plain(name))


def _named(values: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in values.items() if value not in ("", None)}
    if isinstance(given.get("scopes"), str):
        given["scopes"] = given["scopes"].replace(",", " ").split()
    return given
