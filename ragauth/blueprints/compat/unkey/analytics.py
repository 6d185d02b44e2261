"""What keys were used for, as far as rows of usage tell it: allowed checks by day and month."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, ClassVar

from flask import Response

from ragauth import clock
from ragauth.blueprints.compat.unkey.analytics_queries import (
    LONGEST_QUERY,
    OUTCOME,
    TIME,
    VALID,
    InvalidQuery,
    Query,
    parse_query,
)
from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.fields import KEYSPACE
from ragauth.blueprints.compat.unkey.schemas import UnkeySchema
from ragauth.errors import InvalidRequest
from ragauth.models.reads.keys import KeyFacts
from ragauth.models.usage import DayOfKey
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Text
from ragauth.security.identifiers import KEY, encode_id
from ragauth.security.scopes import USAGE
from ragauth.services.limits.usage import list_usage, usage_span
from ragauth.services.operators import accounts, keyspaces
from ragauth.web.endpoint import endpoint
from ragauth.web.faces import current_wording
from ragauth.web.guards import service_key

_MOST_ROWS = 10_000
_PAGE = 1_000


class UnkeyAnalyticsQuestion(RequestSchema):
    query = Text(minimum=1, maximum=LONGEST_QUERY, required=True)


class UnkeyRows(UnkeySchema):
    """Rows of the columns that the query selects."""

    json_rules: ClassVar[dict[str, Any]] = {"additionalProperties": True}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"many": True, **options})


@unkey.post("/v2/analytics.getVerifications")
@endpoint(guard=service_key(USAGE), body=UnkeyAnalyticsQuestion, data=UnkeyRows)
def get_verifications(caller: KeyFacts, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """Answer a query over allowed checks, by day or month."""
    try:
        query = parse_query(body["query"], clock.now())
    except InvalidQuery as error:
        raise _fault(str(error)) from error
    return current_wording().success(query.answer(_rows(query)), 200, None)


def _rows(query: Query) -> Iterator[Mapping[str, Any]]:
    days = _days(query)
    external_ids, spaces = {}, {}
    if query.needs("external_id"):
        found = accounts.find_many({row.account_id for row in days})
        external_ids = {each.id: each.external_id for each in found.values()}
    if query.needs("key_space_id"):
        spaces = keyspaces.find_of_keys({row.key_id for row in days})
    for row in days:
        space = spaces.get(row.key_id)
        yield {
            TIME: query.begins(row.day),
            "key_id": encode_id(KEY, row.key_id),
            # As in Unkey's own answers, nothing is an empty text.
            "external_id": external_ids.get(row.account_id) or "",
            "key_space_id": "" if space is None else encode_id(KEYSPACE, space),
            OUTCOME: VALID,
            "count": row.requests,
            "spent_credits": row.units,
        }


def _days(query: Query) -> list[DayOfKey]:
    """The rows of the days that may fit."""
    first_day = query.first_day()
    span = usage_span(
        account_id=None,
        first_day=query.begins(first_day) if first_day else date.min,
        last_day=None,
    )
    rows: list[DayOfKey] = []
    cursor = None
    while True:
        page = list_usage(span, limit=_PAGE, cursor=cursor)
        rows += page.items
        cursor = page.next_cursor
        if cursor is None:
            return rows
        if len(rows) >= _MOST_ROWS:
            raise _fault(f"More than {_MOST_ROWS:,} rows of usage: name a later first time")


def _fault(message: str) -> InvalidRequest:
    return InvalidRequest([{"path": ["query"], "message": message}])
