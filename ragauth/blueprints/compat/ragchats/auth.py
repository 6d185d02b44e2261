"""Logging in, refreshing, logging out, as RAG Chats' clients do."""

from typing import Any

from ragauth.blueprints.compat.ragchats.blueprint import ragchats
from ragauth.blueprints.compat.ragchats.schemas import (
    RagchatsAccess,
    RagchatsLogin,
    RagchatsRefresh,
    RagchatsTokens,
)
from ragauth.errors import OriginNotAllowed
from ragauth.services.accounts.accounts import LoggedIn
from ragauth.services.compat import sessions as compat_sessions
from ragauth.services.compat.sessions import LOGIN_REFUSALS, REFRESH_REFUSALS
from ragauth.services.sessions import sessions
from ragauth.services.sessions.tokens import TokenClaims
from ragauth.web import refresh_cookie
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import any_token, public


@ragchats.post("/api/auth/login")
@endpoint(guard=public, body=RagchatsLogin, data=RagchatsTokens, errors=LOGIN_REFUSALS)
def log_in(body: dict[str, Any]) -> LoggedIn:
    """Log in with an e-mail."""
    return compat_sessions.log_in(**body, client=current_client())


@ragchats.post("/api/auth/token/refresh")
@endpoint(guard=public, body=RagchatsRefresh, data=RagchatsAccess, errors=REFRESH_REFUSALS)
def refresh(body: dict[str, Any]) -> dict[str, str]:
    """A further access token; the refresh token stays good."""
    token = compat_sessions.renew_access_token(
        refresh_token=body["refresh"], client=current_client()
    )
    return {"access": token}


@ragchats.post("/api/auth/logout")
@endpoint(guard=any_token, status=204, errors=(OriginNotAllowed,))
def log_out(caller: list[TokenClaims]) -> None:
    """End the session of the token in the header, its refresh token too.

    In cookie mode that of the contract's own cookie as well, which the browser sends here too.
    """
    sessions.log_out(tokens=caller, client=current_client())
    refresh_cookie.forget()
