"""Statements that write plain values: SQLAlchemy compiles them once, the driver executes them.

What `plain_rows` is for rows that are only shown, for rows that are only written.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Delete, Dialect, Insert, Update

from ragauth.database import execute, has_written
from ragauth.extensions import db

Write = Insert | Update | Delete


class PlainWrite:
    """A compiled INSERT, UPDATE or DELETE. What it compares with and sets are named parameters.

    `columns` are those that an INSERT sets.
    """

    def __init__(self, statement: Write, columns: tuple[str, ...], dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns or None)
        self.sql = str(compiled)
        for name in compiled.positiontup or ():
            self.sql = self.sql.replace("?", f":{name}", 1)
        self._constants = {
            name: parameter.value
            for name, parameter in compiled.binds.items()
            if not parameter.required
        }
        self._converts: dict[str, Callable[[Any], Any]] = {
            name: convert
            for name, parameter in compiled.binds.items()
            if (convert := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        }

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the driver is given for these values."""
        values = {**self._constants, **given}
        for name, convert in self._converts.items():
            values[name] = convert(values[name])
        return values


@lru_cache(maxsize=256)
def _plain_write(statement: Write, columns: tuple[str, ...], dialect: Dialect) -> PlainWrite:
    return PlainWrite(statement, columns, dialect)


def write(statement: Write, /, **values: Any) -> int:
    """Execute a statement that is built once, in the present transaction; returns how many rows."""
    connection = db.session.connection()
    columns = tuple(values) if isinstance(statement, Insert) else ()
    plain = _plain_write(statement, columns, connection.dialect)
    has_written.set(True)
    count: int = execute(connection, plain.sql, plain.parameters(values)).rowcount
    return count
