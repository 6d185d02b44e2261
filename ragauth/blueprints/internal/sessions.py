"""Sessions of any account: listed and ended."""

from typing import Any

from ragauth.blueprints.internal.blueprint import internal
from ragauth.models.base import Page, Shown
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.base import PageQuery
from ragauth.schemas.sessions import AnySessionSchema
from ragauth.security.scopes import ACCOUNTS
from ragauth.services.operators import account_sessions
from ragauth.services.sessions import sessions
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

TAG = "For your own services"


@internal.get("/accounts/<account_id>/sessions")
@endpoint(guard=service_key(ACCOUNTS), query=PageQuery, data=AnySessionSchema)
def list_account_sessions(
    caller: KeyFacts,  # noqa: ARG001
    query: dict[str, Any],
    account_id: Any,
) -> Page[Shown]:
    """The account's live sessions."""
    return account_sessions.list_sessions(account_id=account_id, **query)


@internal.delete("/accounts/<account_id>/sessions")
@endpoint(guard=service_key(ACCOUNTS), status=204)
def end_account_sessions(caller: KeyFacts, account_id: Any) -> None:  # noqa: ARG001
    """End all sessions of the account at once; its owner may log in again."""
    account_sessions.end_all_sessions(account_id=account_id, client=current_client())


@internal.delete("/accounts/<account_id>/sessions/<session_id>")
@endpoint(guard=service_key(ACCOUNTS), status=204)
def end_account_session(
    caller: KeyFacts,  # noqa: ARG001
    account_id: Any,
    session_id: Any,
) -> None:
    """End one session of the account."""
    sessions.end_session(account_id=account_id, session_id=session_id, client=current_client())
