"""Registering and logging in, as RST's clients do."""

from typing import Any

from ragauth.blueprints.compat.rst.blueprint import rst
from ragauth.blueprints.compat.rst.schemas import RstLogin, RstRegistration, RstToken, RstUser
from ragauth.errors import EmailTaken, RateLimitExceeded, TooManyHashes, UsernameTaken
from ragauth.models import Account
from ragauth.services.accounts import accounts
from ragauth.services.compat import sessions
from ragauth.services.compat.sessions import LOGIN_REFUSALS
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import public


@rst.post("/v1/auth/register")
@endpoint(
    guard=public,
    body=RstRegistration,
    data=RstUser,
    errors=(EmailTaken, UsernameTaken, TooManyHashes, RateLimitExceeded),
)
def register(body: dict[str, Any]) -> Account:
    """Create an account."""
    return accounts.register(
        email=body["email"],
        password=body["password"],
        name=body["full_name"],
        username=body["username"],
        client=current_client(),
    )


@rst.post("/v1/auth/login")
@endpoint(guard=public, body=RstLogin, data=RstToken, errors=LOGIN_REFUSALS)
def log_in(body: dict[str, Any]) -> dict[str, str]:
    """Log in with a username, or with the e-mail in its place."""
    # A username has letters and digits only.
    named_by = "email" if "@" in body["username"] else "username"
    logged_in = sessions.log_in(
        **{named_by: body["username"]}, password=body["password"], client=current_client()
    )
    return {"access_token": logged_in.tokens.token, "token_type": "bearer"}
