"""What the account's keys were used for."""

from typing import Any

from flask import Response

from ragauth.blueprints.auth.blueprint import auth
from ragauth.errors import ExportUnderWay, NoSuchKey
from ragauth.models.base import Page
from ragauth.schemas.usage import AccountLimitsSchema, AnyUsageSchema, LimitsQuery, UsageQuery
from ragauth.services.limits import account_limits
from ragauth.services.limits.account_limits import AccountLimits
from ragauth.services.sessions.sessions import Caller
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token
from ragauth.web.usage_answers import usage_answer

_USAGE = AnyUsageSchema()


@auth.get("/usage")
@endpoint(
    guard=access_token,
    query=UsageQuery,
    data=AnyUsageSchema,
    errors=(ExportUnderWay,),
    is_csv_too=True,
    is_quick=True,
)
def list_my_usage(caller: Caller, query: dict[str, Any]) -> Page[Any] | Response:
    """What the account's keys were used for, the newest first.

    A row for each day and key. With `group_by` a row for each day, or month, and environment; it
    names no key. With `Accept: text/csv` the answer is a file with a column for each meter.
    """
    account_id = caller.account.id
    return usage_answer(_USAGE, account_id=account_id, asker=account_id, **query)


@auth.get("/limits")
@endpoint(guard=access_token, query=LimitsQuery, data=AccountLimitsSchema, errors=(NoSuchKey,))
def show_limits(caller: Caller, query: dict[str, Any]) -> AccountLimits:
    """What the account's limits are, or one of its keys', and what is left of them."""
    return account_limits.get_limits(account_id=caller.account.id, **query)
