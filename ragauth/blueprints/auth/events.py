"""The account's security history."""

from typing import Any

from ragauth.blueprints.auth.blueprint import auth
from ragauth.models.base import Page, Shown
from ragauth.schemas.base import PageQuery
from ragauth.schemas.events import EventSchema
from ragauth.services import audit
from ragauth.services.sessions.sessions import Caller
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token


@auth.get("/events")
@endpoint(guard=access_token, query=PageQuery, data=EventSchema, is_quick=True)
def list_events(caller: Caller, query: dict[str, Any]) -> Page[Shown]:
    """What happened to the account."""
    return audit.list_events(account_id=caller.account.id, **query)
