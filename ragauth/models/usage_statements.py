"""Statements about usage and meters, built once for each form that their conditions have.

Building a statement takes longer than executing it.
"""

import operator
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, select, tuple_

from ragauth.extensions import db
from ragauth.models.base import read_rows
from ragauth.models.usage import MeterUsage, Usage

Table = type[Usage] | type[MeterUsage]
Statement = Select[*tuple[Any, ...]]
#: The values of some columns: a group of rows.
Group = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class UsageRows:
    """The rows of one key, of one account or of all, from one day to another."""

    account_id: uuid.UUID | None
    key_id: uuid.UUID | None
    first_day: date
    last_day: date

    def bound(
        self,
        order: tuple[str, ...] = (),
        *,
        lowest: tuple[Any, ...] | None = None,
        before: tuple[Any, ...] | None = None,
        account_ids: Sequence[uuid.UUID] | None = None,
    ) -> "BoundRows":
        """In `order`, only those from `lowest` on and before `before`; only these accounts'."""
        values: dict[str, Any] = {}
        if self.key_id is not None:
            values["key_id"] = self.key_id
        if self.account_id is not None:
            values["account_id"] = self.account_id
        if account_ids is not None:
            values["account_ids"] = account_ids
        # Only one bound on each side: of two, SQLite would use the weaker one.
        if lowest is None:
            values["first_day"] = self.first_day
        else:
            values |= {f"lowest_{name}": value for name, value in zip(order, lowest, strict=False)}
        if before is None or before[0] > self.last_day:
            values["last_day"] = self.last_day
        else:
            values |= {f"before_{name}": value for name, value in zip(order, before, strict=False)}
        return BoundRows(order, tuple(values), values)


class BoundRows(NamedTuple):
    """The parameters of a statement; `order` and `names` tell which conditions it has."""

    order: tuple[str, ...]
    names: tuple[str, ...]
    values: dict[str, Any]

    def conditions(self, table: Table) -> list[ColumnElement[bool]]:
        """What the rows of a table must fulfil."""
        return _conditions(table, self.order, self.names)

    def newest(self, table: Table, *, limit: int) -> list[Group]:
        """The different values of the columns in `order`, the largest first."""
        statement = _newest(table, self.order, self.names)
        return [tuple(row) for row in _read(statement, **self.values, most=limit)]

    def sum_requests(self, columns: tuple[str, ...]) -> dict[Group, tuple[int, int]]:
        """Requests and units of each group."""
        statement = _sums(Usage, columns, ("requests", "units"), self.order, self.names)
        return {
            tuple(group): (int(requests), int(units))
            for *group, requests, units in _read(statement, **self.values)
        }

    def sum_meters(self, columns: tuple[str, ...]) -> dict[Group, dict[str, int]]:
        """What each group used of each other meter, by name."""
        by_meter = (*columns, "meter")
        statement = _sums(MeterUsage, by_meter, ("amount", "released"), self.order, self.names)
        sums: dict[Group, dict[str, int]] = defaultdict(dict)
        for *group, meter, amount, released in _read(statement, **self.values):
            sums[tuple(group)][meter] = int(amount) - int(released)
        return sums


def _read(statement: Statement, **values: Any) -> Iterable[Any]:
    if "account_ids" in values:
        # It has as many parameters as there are accounts.
        return db.session.connection().execute(statement, values)
    return read_rows(statement, **values)


@cache
def _newest(table: Table, order: tuple[str, ...], names: tuple[str, ...]) -> Statement:
    columns = _columns(table, order)
    return (
        select(*columns)
        .where(*_conditions(table, order, names))
        .group_by(*columns)
        .order_by(*(column.desc() for column in columns))
        .limit(bindparam("most"))
    )


@cache
def _sums(
    table: Table,
    by: tuple[str, ...],
    totals: tuple[str, ...],
    order: tuple[str, ...],
    names: tuple[str, ...],
) -> Statement:
    columns = _columns(table, by)
    return (
        select(*columns, *(func.sum(_columns(table, [name])[0]).label(name) for name in totals))
        .where(*_conditions(table, order, names))
        .group_by(*columns)
        .order_by(*columns)
    )


def _conditions(
    table: Table, order: tuple[str, ...], names: tuple[str, ...]
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if "key_id" in names:
        conditions.append(table.key_id == _parameter(table, "key_id"))
    if "account_id" in names:
        owner: Any = table.account_id
        if "key_id" in names:
            # An expression: with the bare column SQLite would read all of the account's rows.
            owner = func.coalesce(owner, _parameter(table, "account_id"))
        conditions.append(owner == _parameter(table, "account_id"))
    if "account_ids" in names:
        conditions.append(table.account_id.in_(bindparam("account_ids", expanding=True)))
    if "first_day" in names:
        conditions.append(table.day >= bindparam("first_day"))
    if "last_day" in names:
        conditions.append(table.day <= bindparam("last_day"))
    comparisons: tuple[tuple[str, Callable[..., Any]], ...] = (
        ("lowest", operator.ge),
        ("before", operator.lt),
    )
    for kind, compare in comparisons:
        compared = [name for name in order if f"{kind}_{name}" in names]
        if compared:
            place = [_parameter(table, name, f"{kind}_{name}") for name in compared]
            conditions.append(compare(tuple_(*_columns(table, compared)), tuple_(*place)))
    return conditions


def _parameter(table: Table, column: str, name: str | None = None) -> BindParameter[Any]:
    return bindparam(name or column, type_=getattr(table, column).type)


def _columns(table: Table, names: Iterable[str]) -> list[Any]:
    return [getattr(table, name) for name in names]
