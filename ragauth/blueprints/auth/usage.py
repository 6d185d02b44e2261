"""What the account's keys were used for."""

from typing import Any

from ragauth.blueprints.auth.blueprint import auth
from ragauth.models.base import Page
from ragauth.models.usage import DayOfKey
from ragauth.schemas.usage import AccountLimitsSchema, UsageQuery, UsageSchema
from ragauth.services.limits import account_limits, usage
from ragauth.services.limits.account_limits import AccountLimits
from ragauth.services.sessions.sessions import Caller
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token


@auth.get("/usage")
@endpoint(guard=access_token, query=UsageQuery, data=UsageSchema)
def list_my_usage(caller: Caller, query: dict[str, Any]) -> Page[DayOfKey]:
    """A row a day and key, the newest day first: what a chart needs."""
    return usage.list_usage(account_id=caller.account.id, **query)


@auth.get("/limits")
@endpoint(guard=access_token, data=AccountLimitsSchema)
def show_limits(caller: Caller) -> AccountLimits:
    """What the account's plan allows, and what is left of the month."""
    return account_limits.get_limits(account_id=caller.account.id)
