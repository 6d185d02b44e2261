"""Rows of a statement as plain values: SQLAlchemy compiles it once, the driver executes it.

Its own execution converts a value at a time, and makes rows whose attributes are slow to read. Here
the conversions of its types, looked up once, go through all rows a column at a time.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Date, Dialect, Select, Uuid

Raw = Sequence[tuple[Any, ...]]


Convert = Callable[[Any], Any]
ConvertAll = Callable[[Sequence[Any]], list[Any]]

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
        self._converts = [
            (
                position,
                convert,
                _once_each(convert) if isinstance(column.type, _REPEATED) else _each(convert),
            )
            for position, column in enumerate(columns)
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]
        row: Any = namedtuple("row", [str(column.key) for column in columns])  # type: ignore[misc]
        self._make_row: Callable[[tuple[Any, ...]], Any] = row._make

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the driver is given for these values."""
        values = {**self._constants, **given}
        for name, convert in self._binds.items():
            values[name] = convert(values[name])
        return values

    def rows(self, raw: Raw) -> list[Any]:
        """What the driver has read, as named tuples."""
        if not raw:
            return []
        columns: list[Sequence[Any]] = list(zip(*raw, strict=True))
        for position, _, convert_all in self._converts:
            columns[position] = convert_all(columns[position])
        return list(map(self._make_row, zip(*columns, strict=True)))

    def first(self, raw: Raw) -> Any:
        """The first of them, or None."""
        if not raw:
            return None
        values = list(raw[0])
        for position, convert, _ in self._converts:
            if values[position] is not None:
                values[position] = convert(values[position])
        return self._make_row(tuple(values))


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
