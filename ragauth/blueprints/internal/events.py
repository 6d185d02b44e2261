"""The security history: of all accounts, for a SIEM, and of one."""

from typing import Any

from ragauth.blueprints.internal.blueprint import internal
from ragauth.models.base import Page, Shown
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.base import PageQuery
from ragauth.schemas.events import EventSchema, FeedQuery, OperatorsEventSchema
from ragauth.security.scopes import ACCOUNTS
from ragauth.services import audit
from ragauth.services.operators import accounts, event_feed
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

TAG = "For your own services"


@internal.get("/events")
@endpoint(guard=service_key(ACCOUNTS), query=FeedQuery, data=OperatorsEventSchema)
def feed_events(caller: KeyFacts, query: dict[str, Any]) -> Page[Shown]:  # noqa: ARG001
    """The security history of all accounts, oldest first, for who asks again and again.

    `next_cursor` is never null: send it as `after` with the next call, now or later. An event is
    told only when none before it can still be committed, so whoever follows the cursor misses
    nothing and is told nothing twice. A page that is not full is the end for now.
    """
    return event_feed.read_feed(**query)


@internal.get("/accounts/<account_id>/events")
@endpoint(guard=service_key(ACCOUNTS), query=PageQuery, data=EventSchema)
def list_account_events(
    caller: KeyFacts,  # noqa: ARG001
    query: dict[str, Any],
    account_id: Any,
) -> Page[Shown]:
    """The security history of one account, newest first."""
    accounts.get_account(account_id=account_id)
    return audit.list_events(account_id=account_id, **query)
