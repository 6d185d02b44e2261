"""Confirming an address, and changing it."""

from typing import Any

from ragauth.blueprints.auth.blueprint import auth
from ragauth.errors import EmailTaken, RateLimitExceeded
from ragauth.schemas.confirmations import AcceptedSchema, EmailChangeSchema, EmailTokenSchema
from ragauth.services.accounts import emails
from ragauth.services.sessions.sessions import Caller
from ragauth.web import refusals
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token, public


@auth.post("/email/verify")
@endpoint(
    guard=public, body=EmailTokenSchema, status=204, errors=(*refusals.SINGLE_USE_TOKEN, EmailTaken)
)
def confirm_email(body: dict[str, Any]) -> None:
    """Confirm an address with the token of a mail; a changed one takes effect with that."""
    emails.confirm(**body, client=current_client())


@auth.post("/email/resend")
@endpoint(guard=access_token, data=AcceptedSchema, status=202, errors=(RateLimitExceeded,))
def resend_verification(caller: Caller) -> dict[str, bool]:
    """Send the mail that confirms the account's address once more."""
    emails.resend_verification(account_id=caller.account.id)
    return {"accepted": True}


@auth.post("/email/change")
@endpoint(
    guard=access_token,
    body=EmailChangeSchema,
    data=AcceptedSchema,
    status=202,
    errors=refusals.PASSWORD,
)
def request_email_change(caller: Caller, body: dict[str, Any]) -> dict[str, bool]:
    """Ask a new address for its confirmation; the old one is told."""
    emails.request_change(account_id=caller.account.id, **body, client=current_client())
    return {"accepted": True}
