"""The second factor: enrolling one, logging in with it, new recovery codes, removing it."""

from typing import Any

from ragauth.blueprints.auth.blueprint import auth
from ragauth.errors import InvalidCode, NotFound, RateLimitExceeded, SecondFactorExists
from ragauth.schemas.accounts import PasswordSchema
from ragauth.schemas.second_factors import (
    CodeSchema,
    EnrolmentSchema,
    PasswordAndCodeSchema,
    RecoveryCodesSchema,
    SecondFactorSchema,
    SecondStepSchema,
)
from ragauth.schemas.sessions import LoginResultSchema
from ragauth.services.accounts import second_factors, second_step
from ragauth.services.accounts.accounts import LoggedIn
from ragauth.services.accounts.second_factors import Enrolment, RecoveryCodes, SecondFactorStatus
from ragauth.services.sessions.sessions import Caller
from ragauth.web import refusals
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token, public

TAG = "Second factor"


@auth.post("/login/mfa")
@endpoint(
    guard=public,
    body=SecondStepSchema,
    data=LoginResultSchema,
    errors=(*refusals.SINGLE_USE_TOKEN, InvalidCode, RateLimitExceeded),
)
def complete_login(body: dict[str, Any]) -> LoggedIn:
    """The second step of a login: a code of the app, or a recovery code."""
    return second_step.complete_login(**body, client=current_client())


@auth.get("/second-factor")
@endpoint(guard=access_token, data=SecondFactorSchema)
def show_second_factor(caller: Caller) -> SecondFactorStatus:
    """Whether there is one, and how many recovery codes are left."""
    return second_factors.show(account_id=caller.account.id)


@auth.post("/second-factor")
@endpoint(
    guard=access_token,
    body=PasswordSchema,
    data=EnrolmentSchema,
    status=201,
    errors=(*refusals.PASSWORD, SecondFactorExists),
)
def enrol_second_factor(caller: Caller, body: dict[str, Any]) -> Enrolment:
    """A secret for an authenticator app, shown this once; it counts once it is confirmed."""
    return second_factors.enrol(
        account_id=caller.account.id,
        email=caller.account.email,
        **body,
        client=current_client(),
    )


@auth.post("/second-factor/confirm")
@endpoint(
    guard=access_token,
    body=CodeSchema,
    data=RecoveryCodesSchema,
    errors=(InvalidCode, NotFound, SecondFactorExists, RateLimitExceeded),
)
def confirm_second_factor(caller: Caller, body: dict[str, Any]) -> RecoveryCodes:
    """Turn it on with a first code of the app; answers with recovery codes, shown this once."""
    return second_factors.confirm(account_id=caller.account.id, **body, client=current_client())


@auth.post("/second-factor/recovery-codes")
@endpoint(
    guard=access_token,
    body=PasswordAndCodeSchema,
    data=RecoveryCodesSchema,
    errors=(*refusals.PASSWORD, InvalidCode, NotFound),
)
def renew_recovery_codes(caller: Caller, body: dict[str, Any]) -> RecoveryCodes:
    """New recovery codes, shown this once; the old ones are dead."""
    return second_factors.renew_recovery_codes(
        account_id=caller.account.id, **body, client=current_client()
    )


@auth.post("/second-factor/delete")
@endpoint(
    guard=access_token,
    body=PasswordAndCodeSchema,
    status=204,
    errors=(*refusals.PASSWORD, InvalidCode, NotFound),
)
def remove_second_factor(caller: Caller, body: dict[str, Any]) -> None:
    """Remove it; the password is enough from the next login on."""
    second_factors.remove(account_id=caller.account.id, **body, client=current_client())
