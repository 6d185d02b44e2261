"""A prepared read whose values are of the types that the models declare, on both databases."""

from collections import namedtuple
from collections.abc import Callable
from typing import Any

from sqlalchemy import Select

from ragauth.models.reads.prepared import PreparedReads


class PreparedRows:
    """A prepared statement, with conversions of the driver's values to the models' types.

    SQLAlchemy's own types convert; only its execution of statements is bypassed.
    """

    def __init__(self, reads: PreparedReads, statement: Select[*tuple[Any, ...]]) -> None:
        self._reads = reads
        self._sql = reads.compile(statement)
        dialect = reads.dialect
        compiled = statement.compile(dialect=dialect)
        self._binds: dict[str, Callable[[Any], Any]] = {
            name: convert
            for name, parameter in compiled.binds.items()
            if (convert := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        }
        columns = list(statement.selected_columns)
        self._constants = {
            name: parameter.value
            for name, parameter in compiled.binds.items()
            if not parameter.required
        }
        self._converts = [
            (position, convert)
            for position, column in enumerate(columns)
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]
        names = [str(column.key) for column in columns]
        row: Any = namedtuple("row", names)  # type: ignore[misc]
        self._make_row: Callable[[list[Any]], Any] = row._make

    def first(self, **parameters: Any) -> Any:
        """The first row, with the names of its columns, or None; ExternalServiceUnavailable."""
        given = self._constants | parameters
        for name, convert in self._binds.items():
            given[name] = convert(given[name])
        rows = self._reads.read(self._sql, given)
        if not rows:
            return None
        values = list(rows[0])
        for position, convert in self._converts:
            values[position] = convert(values[position])
        return self._make_row(values)
