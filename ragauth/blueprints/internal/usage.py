"""Usage of all accounts, for billing."""

import uuid
from typing import Any

from flask import Response

from ragauth.blueprints.internal.blueprint import internal
from ragauth.errors import ExportUnderWay
from ragauth.models.base import Page
from ragauth.models.reads.keys import KeyFacts
from ragauth.models.usage import UsageOfAccount
from ragauth.schemas.usage import (
    AllUsageQuery,
    AnyAccountUsageSchema,
    TopUsageQuery,
    TopUsageSchema,
)
from ragauth.security.scopes import USAGE
from ragauth.services.limits import usage
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key
from ragauth.web.usage_answers import usage_answer

TAG = "For your own services"
_USAGE = AnyAccountUsageSchema()


@internal.get("/usage")
@endpoint(
    guard=service_key(USAGE),
    query=AllUsageQuery,
    data=AnyAccountUsageSchema,
    errors=(ExportUnderWay,),
    is_csv_too=True,
)
def list_usage(caller: KeyFacts, query: dict[str, Any]) -> Page[Any] | Response:
    """Usage of all accounts, or of one, the newest first.

    A row for each day and key. With `group_by` a row for each day, or month, account and
    environment; it names no key. With `Accept: text/csv` the answer is a file with a column for
    each meter.
    """
    return usage_answer(_USAGE, asker=uuid.UUID(bytes=caller.id), **query)


@internal.get("/usage/top")
@endpoint(guard=service_key(USAGE), query=TopUsageQuery, data=TopUsageSchema, is_list=True)
def list_top_usage(
    caller: KeyFacts,  # noqa: ARG001
    query: dict[str, Any],
) -> Page[UsageOfAccount]:
    """The accounts that used most, in that order."""
    return Page(usage.list_top_accounts(**query).accounts, None)
