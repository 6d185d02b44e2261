"""Signing up, logging in, the profile, leaving."""

from typing import Any

from ragauth.blueprints.auth.blueprint import auth
from ragauth.errors import (
    AccountSuspended,
    EmailTaken,
    InvalidLogin,
    RateLimitExceeded,
    TooManyHashes,
    UsernameTaken,
)
from ragauth.models import Account
from ragauth.schemas.accounts import (
    AccountSchema,
    LoginSchema,
    PasswordSchema,
    ProfileSchema,
    SignupSchema,
)
from ragauth.schemas.second_factors import LoginAnswerSchema
from ragauth.schemas.sessions import SignupResultSchema
from ragauth.services.accounts import accounts
from ragauth.services.accounts.accounts import LoggedIn, SignedUp
from ragauth.services.accounts.second_factors import SecondFactorRequired
from ragauth.services.sessions.sessions import AccountView, Caller
from ragauth.web import refresh_cookie, refusals
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token, public


@auth.post("/signup")
@endpoint(
    guard=public,
    body=SignupSchema,
    data=SignupResultSchema,
    status=201,
    errors=(EmailTaken, UsernameTaken, TooManyHashes, RateLimitExceeded),
)
def sign_up(body: dict[str, Any]) -> SignedUp:
    """Create an account; answers with its first tokens and its API key, shown this once."""
    return accounts.sign_up(**body, client=current_client())


@auth.post("/login")
@endpoint(
    guard=public,
    body=LoginSchema,
    data=LoginAnswerSchema,
    errors=(InvalidLogin, AccountSuspended, TooManyHashes, RateLimitExceeded),
)
def log_in(body: dict[str, Any]) -> LoggedIn | SecondFactorRequired:
    """Log in with an e-mail or a username; a second factor is asked for at /login/mfa."""
    return accounts.log_in(**body, client=current_client())


@auth.get("/me")
@endpoint(guard=access_token, data=AccountSchema, is_quick=True)
def show_me(caller: Caller) -> AccountView:
    """The caller's account."""
    return caller.account


@auth.patch("/me")
@endpoint(guard=access_token, body=ProfileSchema, data=AccountSchema, errors=(UsernameTaken,))
def change_me(caller: Caller, body: dict[str, Any]) -> Account:
    """Change name or username; switch mails about limits off or on."""
    return accounts.change_profile(
        account_id=caller.account.id, changes=body, client=current_client()
    )


@auth.post("/me/delete")
@endpoint(guard=access_token, body=PasswordSchema, status=204, errors=refusals.PASSWORD)
def delete_me(caller: Caller, body: dict[str, Any]) -> None:
    """Delete the account; every session and key of it is dead at once."""
    accounts.delete_account(account_id=caller.account.id, **body, client=current_client())
    refresh_cookie.forget()
