"""The queries over verifications that rows of usage can answer: a small part of SQL, and pure.

One SELECT from the tables of days or months, of allowed checks alone: columns, `SUM(count)` and
`SUM(spent_credits)`, with WHERE, GROUP BY, ORDER BY and LIMIT.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from operator import eq, ge, gt, itemgetter, le, lt
from typing import Any, NamedTuple, TypeVar

LONGEST_QUERY = 5_000
MONTHS = "key_verifications_per_month_v1"
TABLES = ("key_verifications_per_day_v1", MONTHS)
TIME, OUTCOME = "time", "outcome"
#: What a row has beside its sums.
COLUMNS = (TIME, "key_id", "key_space_id", "external_id", OUTCOME)
SUMS = ("count", "spent_credits")
VALID = "VALID"

_TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*+)|'(?P<text>(?:[^'\\]|'')*+)'|(?P<number>[0-9]{1,9})"
    r"|(?P<sign><=|>=|!=|<>|[()=<>,*;.+-])|(?P<end>\Z))"
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"=": eq, ">=": ge, ">": gt, "<=": le, "<": lt}
_RESERVED = frozenset(
    {"select", "from", "where", "and", "group", "by", "order", "asc", "desc", "limit", "as"}
)
_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_MOST_DAYS = 36_500

Item = TypeVar("Item")


class InvalidQuery(ValueError):
    """A query that cannot be answered here; the text tells the user why."""


class Selected(NamedTuple):
    """A column or, if it `is_sum`, the sum of one, and what it is called in the answer."""

    column: str
    alias: str
    is_sum: bool


@dataclass
class Query:
    """A query that was read. Days are compared as their first moment in UTC."""

    selected: list[Selected] = field(default_factory=list)
    table: str = ""
    equal: dict[str, str] = field(default_factory=dict)
    times: list[tuple[Callable[[Any, Any], bool], datetime]] = field(default_factory=list)
    grouped: list[str] = field(default_factory=list)
    ordered: list[tuple[str, bool]] = field(default_factory=list)
    limit: int | None = None

    def begins(self, day: date) -> date:
        """What `time` is for a day: the day, or the first one of its month."""
        return day.replace(day=1) if self.table == MONTHS else day

    def has_time(self, begins: date) -> bool:
        moment = datetime.combine(begins, time(), UTC)
        return all(compare(moment, bound) for compare, bound in self.times)

    def first_day(self) -> date | None:
        """A day before which no row fits; None if there is none."""
        bounds = [bound for compare, bound in self.times if compare in (ge, gt, eq)]
        return max(bounds).date() if bounds else None

    def needs(self, column: str) -> bool:
        return column in self.equal or any(each.column == column for each in self.selected)

    def answer(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The answer from rows with all columns that it needs, and with the sums."""
        fitting = [
            row
            for row in rows
            if self.has_time(row[TIME])
            and all(row[column] == value for column, value in self.equal.items())
        ]
        found = self._grouped(fitting) if self._is_grouped else [self._told(r) for r in fitting]
        for alias, is_descending in reversed(self.ordered):
            found.sort(key=itemgetter(alias), reverse=is_descending)
        return found if self.limit is None else found[: self.limit]

    @property
    def _is_grouped(self) -> bool:
        return bool(self.grouped) or any(each.is_sum for each in self.selected)

    def _told(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {each.alias: _plain(row[each.column]) for each in self.selected}

    def _grouped(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        groups: dict[tuple[Any, ...], dict[str, Any]] = {}
        # As in SQL, a sum over no rows at all is one row.
        if not self.grouped:
            groups[()] = {each.alias: 0 for each in self.selected}
        for row in rows:
            name = tuple(row[column] for column in self.grouped)
            told = groups.setdefault(
                name,
                {
                    each.alias: 0 if each.is_sum else _plain(row[each.column])
                    for each in self.selected
                },
            )
            for each in self.selected:
                if each.is_sum:
                    told[each.alias] += row[each.column]
        return list(groups.values())


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def parse_query(text: str, now: datetime) -> Query:
    """Read a query; `now` is what `now()` means. Raises InvalidQuery."""
    if len(text) > LONGEST_QUERY:
        raise InvalidQuery(f"A query has at most {LONGEST_QUERY:,} characters")
    query = _Parser(text, now).parse()
    told = [each.alias for each in query.selected]
    if len(set(told)) < len(told):
        raise InvalidQuery("Two columns of the answer are called the same")
    for alias, _is_descending in query.ordered:
        if alias not in told:
            raise InvalidQuery(f"ORDER BY {alias}: it is not a column of the answer")
    if query._is_grouped:
        for each in query.selected:
            if not each.is_sum and each.column not in query.grouped:
                raise InvalidQuery(f"{each.column} must be in GROUP BY, or be summed")
    if query.equal.pop(OUTCOME, None) != VALID:
        raise InvalidQuery(
            f"Only allowed checks are kept here: ask WHERE {OUTCOME} = '{VALID}', and no other"
        )
    return query


class _Token(NamedTuple):
    """`kind` is word, text, number, sign or end; words are in small letters."""

    kind: str
    value: str


class _Parser:
    def __init__(self, text: str, now: datetime) -> None:
        self._tokens = _split(text)
        self._now = now
        self._next = next(self._tokens)

    def parse(self) -> Query:
        query = Query()
        self._expect("select")
        query.selected = self._list(self._selected)
        self._expect("from")
        query.table = self._one_of(TABLES, "a table", "Usage is kept by day and month")
        if self._take("where"):
            self._condition(query)
            while self._take("and"):
                self._condition(query)
        if self._take("group"):
            self._expect("by")
            query.grouped = self._list(self._column)
        if self._take("order"):
            self._expect("by")
            query.ordered = self._list(self._order)
        if self._take("limit"):
            query.limit = int(self._value("number", "a number"))
        self._take(";")
        if self._next.kind != "end":
            raise self._unexpected("the end")
        return query

    def _selected(self) -> Selected:
        if self._take("sum"):
            self._expect("(")
            column = self._one_of(SUMS, "a column that can be summed")
            self._expect(")")
            return Selected(column, self._alias(f"sum({column})"), is_sum=True)
        column = self._one_of((*COLUMNS, *SUMS), "a column, or SUM of one")
        return Selected(column, self._alias(column), is_sum=False)

    def _alias(self, otherwise: str) -> str:
        if not self._take("as"):
            return otherwise
        if self._next.value in _RESERVED:
            raise self._unexpected("a name")
        return self._value("word", "a name")

    def _column(self) -> str:
        return self._one_of(COLUMNS, "a column")

    def _order(self) -> tuple[str, bool]:
        named = self._value("word", "a column of the answer")
        is_descending = self._take("desc")
        if not is_descending:
            self._take("asc")
        return named, is_descending

    def _condition(self, query: Query) -> None:
        column = self._column()
        if column != TIME:
            self._expect("=")
            value = self._value("text", "a text")
            if query.equal.setdefault(column, value) != value:
                raise InvalidQuery(f"{column} cannot be both")
        elif self._take("between"):
            query.times.append((ge, self._moment()))
            self._expect("and")
            query.times.append((le, self._moment()))
        else:
            sign = self._one_of(tuple(_COMPARE), "a comparison")
            query.times.append((_COMPARE[sign], self._moment()))

    def _moment(self) -> datetime:
        if self._next.kind == "text":
            return self._day()
        name = self._one_of(("now", "today", "yesterday", "todate"), "a day")
        self._expect("(")
        moment = self._now
        if name == "todate":
            moment = self._day()
        elif name != "now":
            moment = datetime.combine(moment.date(), time(), UTC)
        self._expect(")")
        if name == "yesterday":
            moment -= timedelta(days=1)
        return self._before(moment) if self._take("-") else moment

    def _before(self, moment: datetime) -> datetime:
        self._expect("interval")
        count = int(self._value("number", "a number"))
        unit = self._one_of((*_DAYS, "month", "months"), "DAY, WEEK or MONTH")
        if unit in _DAYS:
            return moment - timedelta(days=min(count * _DAYS[unit], _MOST_DAYS))
        months = max(moment.year * 12 + moment.month - 1 - count, 12 * 1900)
        year, month = divmod(months, 12)
        # As in ClickHouse: of a day that the month does not have, its last one.
        after = datetime(year + month // 11, (month + 1) % 12 + 1, 1, tzinfo=UTC)
        last = (after - timedelta(days=1)).day
        return moment.replace(year=year, month=month + 1, day=min(moment.day, last))

    def _day(self) -> datetime:
        text = self._value("text", "a day")
        try:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        except ValueError as error:
            raise InvalidQuery(f"{text[:40]!r} is not a day such as '2026-01-31'") from error

    def _list(self, read: Callable[[], Item]) -> list[Item]:
        items = [read()]
        while self._take(","):
            items.append(read())
        return items

    def _take(self, value: str) -> bool:
        if self._next.kind in ("text", "end") or self._next.value.lower() != value:
            return False
        self._next = next(self._tokens)
        return True

    def _expect(self, value: str) -> None:
        if not self._take(value):
            raise self._unexpected(value.upper())

    def _value(self, kind: str, expected: str) -> str:
        if self._next.kind != kind:
            raise self._unexpected(expected)
        value = self._next.value
        self._next = next(self._tokens)
        return value

    def _one_of(self, values: Collection[str], expected: str, why: str = "") -> str:
        for value in values:
            if self._take(value):
                return value
        raise self._unexpected(f"{expected} ({', '.join(values)})", why)

    def _unexpected(self, expected: str, why: str = "") -> InvalidQuery:
        found = "the end" if self._next.kind == "end" else repr(self._next.value[:60])
        return InvalidQuery(f"{why + ': ' if why else ''}{expected} expected, {found} found")


def _split(text: str) -> Iterator[_Token]:
    at = 0
    while True:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            rest = text[at:].lstrip()
            raise InvalidQuery(f"{rest[:1]!r} is not understood here")
        at = found.end()
        yield _Token(found.lastgroup, found[found.lastgroup].replace("''", "'"))
