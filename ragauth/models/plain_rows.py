"""Rows of a statement as plain values: SQLAlchemy compiles it once, the driver executes it.

Its own execution converts a value at a time, and makes rows whose attributes are slow to read. Here
the conversions of its types, looked up once, go through all rows a column at a time.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, overload

from sqlalchemy import Date, Dialect, Select, Uuid

from ragauth.database import UtcDateTime

Raw = Sequence[tuple[Any, ...]]


Convert = Callable[[Any], Any]
ConvertAll = Callable[[Sequence[Any]], list[Any]]

# Types that SQLite stores as text: 32 digits of hex, and ISO 8601 with a space and without a zone.
_TEXT_IN_SQLITE = (Uuid, UtcDateTime)
# Types of which many rows have the same value: an account, a day. The values are immutable.
_REPEATED = (Uuid, Date)


class PlainRows:
    """A compiled SELECT. The rows have the names of its columns, and values of the models' types.

    What the statement compares with must be parameters of a name of their own, or constants.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = with_named_parameters(statement, dialect)
        self._binds: dict[str, Convert] = {
            name: convert
            for name, parameter in compiled.binds.items()
            if (convert := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        }
        self._constants = {
            name: parameter.value
            for name, parameter in compiled.binds.items()
            if not parameter.required
        }
        columns = list(statement.selected_columns)
        self.places = {str(column.key): place for place, column in enumerate(columns)}
        self.converts: dict[int, tuple[Convert, ConvertAll]] = {
            place: (
                convert,
                _once_each(convert) if isinstance(column.type, _REPEATED) else _each(convert),
            )
            for place, column in enumerate(columns)
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None))
        }
        self.texts = {
            place
            for place, column in enumerate(columns)
            if dialect.name == "sqlite" and isinstance(column.type, _TEXT_IN_SQLITE)
        }
        row: Any = namedtuple("row", [*self.places])  # type: ignore[misc]
        self._make_row: Callable[[tuple[Any, ...]], Any] = row._make

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the driver is given for these values."""
        values = {**self._constants, **given}
        for name, convert in self._binds.items():
            values[name] = convert(values[name])
        return values

    def rows(self, raw: Raw) -> list[Any]:
        """What the driver has read, as named tuples."""
        columns: list[Sequence[Any]] = list(zip(*raw, strict=True))
        if columns:
            for place, (_, convert_all) in self.converts.items():
                columns[place] = convert_all(columns[place])
        return list(map(self._make_row, zip(*columns, strict=True)))

    def row(self, raw: tuple[Any, ...]) -> Any:
        """One row that the driver has read, as a named tuple."""
        values = list(raw)
        for place, (convert, _) in self.converts.items():
            if values[place] is not None:
                values[place] = convert(values[place])
        return self._make_row(tuple(values))


class Rows(Sequence[Any]):
    """What the driver has read. A row becomes a named tuple when it is looked at."""

    def __init__(self, plain: PlainRows, raw: Raw) -> None:
        self._plain = plain
        self._raw = raw

    def __len__(self) -> int:
        return len(self._raw)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._plain.rows(self._raw))

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> "Rows": ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return Rows(self._plain, self._raw[place])
        return self._plain.row(self._raw[place])

    def columns(
        self, wanted: Iterable[tuple[str, Convert | None]]
    ) -> list[tuple[Sequence[Any], bool]]:
        """The values of some columns by name; KeyError if there is no such column.

        With the name goes what is to be made of an id's or a moment's text where the database
        stores text, instead of the value; True goes with the values of which it was made.
        """
        plain, stored = self._plain, list(zip(*self._raw, strict=True))
        found: list[tuple[Sequence[Any], bool]] = []
        for name, of_text in wanted:
            place = plain.places[name]
            values: Sequence[Any] = stored[place] if stored else ()
            if of_text is not None and place in plain.texts:
                found.append(([text and of_text(text) for text in values], True))
            elif place in plain.converts:
                found.append((plain.converts[place][1](values), False))
            else:
                found.append((values, False))
        return found


def _each(convert: Convert) -> ConvertAll:
    return lambda values: [None if value is None else convert(value) for value in values]


def _once_each(convert: Convert) -> ConvertAll:
    def convert_all(values: Sequence[Any]) -> list[Any]:
        converted = {value: None if value is None else convert(value) for value in set(values)}
        return [converted[value] for value in values]

    return convert_all


@lru_cache(maxsize=256)
def plain_rows(statement: Select[*tuple[Any, ...]], dialect: Dialect) -> PlainRows:
    """The compiled form of a statement that is built once."""
    return PlainRows(statement, dialect)


def with_named_parameters(statement: Select[*tuple[Any, ...]], dialect: Dialect) -> str:
    """The SQL of a statement; its parameters are named, which both drivers support."""
    compiled = statement.compile(dialect=dialect)
    sql = str(compiled)
    if dialect.name == "sqlite":
        for name in compiled.positiontup or ():
            sql = sql.replace("?", f":{name}", 1)
    return sql
