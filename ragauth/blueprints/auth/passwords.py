"""Changing a password, and setting a forgotten one anew."""

from typing import Any

from ragauth.blueprints.auth.blueprint import auth
from ragauth.errors import RateLimitExceeded, TooManyHashes
from ragauth.schemas.confirmations import (
    AcceptedSchema,
    PasswordChangeSchema,
    PasswordForgottenSchema,
    PasswordResetSchema,
)
from ragauth.services.accounts import password_reset, passwords
from ragauth.services.sessions.sessions import Caller
from ragauth.web import refusals
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token, public


@auth.post("/password/change")
@endpoint(guard=access_token, body=PasswordChangeSchema, status=204, errors=refusals.PASSWORD)
def change_password(caller: Caller, body: dict[str, Any]) -> None:
    """Set a new password; every other session ends."""
    passwords.change_password(
        account_id=caller.account.id,
        session_id=caller.session_id,
        **body,
        client=current_client(),
    )


@auth.post("/password/forgot")
@endpoint(
    guard=public,
    body=PasswordForgottenSchema,
    data=AcceptedSchema,
    status=202,
    errors=(RateLimitExceeded,),
)
def request_password_reset(body: dict[str, Any]) -> dict[str, bool]:
    """Ask for a mail with a token; the answer is the same whoever has the address."""
    password_reset.request_reset(**body, client=current_client())
    return {"accepted": True}


@auth.post("/password/reset")
@endpoint(
    guard=public,
    body=PasswordResetSchema,
    status=204,
    errors=(*refusals.SINGLE_USE_TOKEN, TooManyHashes),
)
def reset_password(body: dict[str, Any]) -> None:
    """Set a new password with the token of a mail; every session ends."""
    password_reset.reset_password(**body, client=current_client())
