"""Tokens and sessions."""

from typing import Any

from ragauth.blueprints.auth.blueprint import auth
from ragauth.errors import OriginNotAllowed
from ragauth.models.base import Page
from ragauth.schemas.base import PageQuery
from ragauth.schemas.sessions import (
    EndSessionsQuery,
    RefreshSchema,
    SessionSchema,
    TokenPairSchema,
)
from ragauth.services.sessions import refreshes, sessions
from ragauth.services.sessions.sessions import Caller, SessionView
from ragauth.services.sessions.tokens import TokenClaims, TokenPair
from ragauth.web import refresh_cookie, refusals
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token, any_token, public


@auth.post("/token/refresh")
@endpoint(guard=public, body=RefreshSchema, data=TokenPairSchema, errors=refusals.REFRESH_TOKEN)
def refresh(body: dict[str, Any]) -> TokenPair:
    """Exchange a refresh token for the next pair; it is spent with that."""
    return refreshes.refresh(**body, client=current_client())


@auth.post("/logout")
@endpoint(guard=any_token, status=204, errors=(OriginNotAllowed,))
def log_out(caller: list[TokenClaims]) -> None:
    """End the sessions of the tokens in the header and in the cookie; one of them will do."""
    sessions.log_out(tokens=caller, client=current_client())
    refresh_cookie.forget()


@auth.get("/sessions")
@endpoint(guard=access_token, query=PageQuery, data=SessionSchema, is_quick=True)
def list_sessions(caller: Caller, query: dict[str, Any]) -> Page[SessionView]:
    """The account's live sessions."""
    return sessions.list_sessions(caller=caller, **query)


@auth.delete("/sessions/<session_id>")
@endpoint(guard=access_token, status=204)
def end_session(caller: Caller, session_id: Any) -> None:
    """End one session."""
    sessions.end_session(
        account_id=caller.account.id, session_id=session_id, client=current_client()
    )
    if session_id == caller.session_id:
        refresh_cookie.forget()


@auth.delete("/sessions")
@endpoint(guard=access_token, query=EndSessionsQuery, status=204)
def end_sessions(caller: Caller, query: dict[str, Any]) -> None:
    """End all other sessions; with `all=true` this one too."""
    sessions.end_other_sessions(caller=caller, and_this_one=query["all"], client=current_client())
    if query["all"]:
        refresh_cookie.forget()
