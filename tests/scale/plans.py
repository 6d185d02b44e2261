"""What the planners of both databases say they would read for a statement."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from ragauth.extensions import db

# What hands a row on as soon as it has one: above it a LIMIT ends the reading.
_STREAMS = {
    "Index Only Scan",
    "Index Scan",
    "Limit",
    "LockRows",
    "Nested Loop",
    "Result",
    "Subquery Scan",
}
_AVOID = "; ".join(f"SET LOCAL enable_{way} = off" for way in ("seqscan", "hashjoin", "mergejoin"))
_SCAN = re.compile(r"SCAN (?P<name>\w+)(?P<index> USING (COVERING )?INDEX)?")
_NUMBERED = re.compile(r"_\d+$")


@contextmanager
def explaining(found: Callable[[str], None]) -> Iterator[None]:
    """In the block each statement is explained before it runs; tells of each full scan.

    Postgres is told to avoid one wherever it can, and joins that read both sides: what is left has
    no index, however few rows the tables of a test have.
    """

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        _context, executemany = rest
        if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            return
        first = parameters[0] if executemany else parameters
        scans = _sqlite_scans if connection.dialect.name == "sqlite" else _postgres_scans
        with_cursor = cursor.connection.cursor()
        try:
            for scan in scans(with_cursor, statement, first):
                found(f"{scan}: {statement}")
        finally:
            with_cursor.close()

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", explain)


def _sqlite_scans(cursor: Any, statement: str, parameters: Any) -> Iterator[str]:
    cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
    details = [row[3] for row in cursor.fetchall()]
    is_sorted = any(detail.startswith("USE TEMP B-TREE") for detail in details)
    for detail in details:
        scan = _SCAN.match(detail)
        if scan is None or _NUMBERED.sub("", scan["name"]) not in db.metadata.tables:
            continue
        # In an order that is that of an index, with nothing to leave out, as far as the limit.
        is_a_page = scan["index"] and "LIMIT" in statement and "WHERE" not in statement
        if is_sorted or not is_a_page:
            yield detail


def _postgres_scans(cursor: Any, statement: str, parameters: Any) -> Iterator[str]:
    cursor.execute(_AVOID)
    cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    (answer,) = cursor.fetchone()
    plans = json.loads(answer) if isinstance(answer, str) else answer
    yield from _full_scans(plans[0]["Plan"], within_limit=False)


def _full_scans(node: dict[str, Any], *, within_limit: bool) -> Iterator[str]:
    kind = node["Node Type"]
    is_sorted_group = kind in ("Aggregate", "Group") and node.get("Strategy") in (None, "Sorted")
    within_limit = kind == "Limit" or (within_limit and (kind in _STREAMS or is_sorted_group))
    if kind == "Seq Scan":
        yield f"Seq Scan on {node['Relation Name']}"
    elif kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan"):
        is_a_page = within_limit and "Filter" not in node
        if "Index Cond" not in node and not is_a_page:
            yield f"{kind} of all of {node['Index Name']}"
    for child in node.get("Plans", ()):
        yield from _full_scans(child, within_limit=within_limit)
