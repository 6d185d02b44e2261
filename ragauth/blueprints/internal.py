"""What a service of the operator's asks and sets: accounts, plans, usage, events."""

import uuid
from typing import Any

from flask import Blueprint, Response

from ragauth.errors import ExportUnderWay, ExternalIdTaken
from ragauth.models import Account
from ragauth.models.base import Page, Shown
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.events import FeedQuery, OperatorsEventSchema
from ragauth.schemas.internal import (
    AccountsQuery,
    InternalAccountChangesSchema,
    InternalAccountSchema,
)
from ragauth.schemas.usage import AllUsageQuery, AnyAccountUsageSchema
from ragauth.security.scopes import ACCOUNTS, USAGE
from ragauth.services.operators import accounts, event_feed
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key
from ragauth.web.usage_answers import usage_answer

internal = Blueprint("internal", __name__)
TAG = "For your own services"
_USAGE = AnyAccountUsageSchema()


@internal.get("/accounts")
@endpoint(guard=service_key(ACCOUNTS), query=AccountsQuery, data=InternalAccountSchema)
def list_accounts(caller: KeyFacts, query: dict[str, Any]) -> Page[Account]:  # noqa: ARG001
    """All accounts, or those with an address, an external id, a plan or a status."""
    return accounts.list_accounts(**query)


@internal.get("/accounts/<account_id>")
@endpoint(guard=service_key(ACCOUNTS), data=InternalAccountSchema)
def show_account(caller: KeyFacts, account_id: Any) -> Account:  # noqa: ARG001
    """One account."""
    return accounts.get_account(account_id=account_id)


@internal.patch("/accounts/<account_id>")
@endpoint(
    guard=service_key(ACCOUNTS),
    body=InternalAccountChangesSchema,
    data=InternalAccountSchema,
    errors=(ExternalIdTaken,),
)
def change_account(
    caller: KeyFacts,  # noqa: ARG001
    body: dict[str, Any],
    account_id: Any,
) -> Account:
    """Set an account's plan or status, from its next request on, and what you keep with it."""
    return accounts.administer(account_id=account_id, changes=body, client=current_client())


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


@internal.get("/events")
@endpoint(guard=service_key(ACCOUNTS), query=FeedQuery, data=OperatorsEventSchema)
def feed_events(caller: KeyFacts, query: dict[str, Any]) -> Page[Shown]:  # noqa: ARG001
    """The security history of all accounts, oldest first, for who asks again and again.

    `next_cursor` is never null: send it as `after` with the next call, now or later. An event is
    told only when none before it can still be committed, so whoever follows the cursor misses
    nothing and is told nothing twice. A page that is not full is the end for now.
    """
    return event_feed.read_feed(**query)
