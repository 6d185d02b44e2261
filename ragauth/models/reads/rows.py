"""A prepared read whose values are of the types that the models declare, on both databases."""

from typing import Any

from sqlalchemy import Select

from ragauth.models.plain_rows import PlainRows
from ragauth.models.reads.prepared import PreparedReads


class PreparedRows:
    """A prepared statement that gives plain rows."""

    def __init__(self, reads: PreparedReads, statement: Select[*tuple[Any, ...]]) -> None:
        self._reads = reads
        self._plain = PlainRows(statement, reads.dialect)

    def first(self, **parameters: Any) -> Any:
        """The first row, with the names of its columns, or None; ExternalServiceUnavailable."""
        plain = self._plain
        found = self._reads.read(plain.sql, plain.parameters(parameters))
        return plain.row(found[0]) if found else None
