"""What a service of the operator's asks and sets: accounts and their plans."""

from typing import Any

from ragauth.blueprints.internal.blueprint import internal
from ragauth.errors import AccountOfKeyspace, EmailTaken, ExternalIdTaken, NoSuchKey
from ragauth.models import Account
from ragauth.models.base import Page
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.internal import (
    AccountsQuery,
    InternalAccountChangesSchema,
    InternalAccountSchema,
    NewInternalAccountSchema,
)
from ragauth.schemas.usage import AccountLimitsSchema, LimitsQuery
from ragauth.security.scopes import ACCOUNTS
from ragauth.services.limits import account_limits
from ragauth.services.limits.account_limits import AccountLimits
from ragauth.services.operators import accounts
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

TAG = "For your own services"


@internal.get("/accounts")
@endpoint(guard=service_key(ACCOUNTS), query=AccountsQuery, data=InternalAccountSchema)
def list_accounts(caller: KeyFacts, query: dict[str, Any]) -> Page[Account]:  # noqa: ARG001
    """All accounts, or those with a text, an address, an external id, a plan or a status."""
    return accounts.list_accounts(**query)


@internal.post("/accounts")
@endpoint(
    guard=service_key(ACCOUNTS),
    body=NewInternalAccountSchema,
    data=InternalAccountSchema,
    status=201,
    errors=(EmailTaken, ExternalIdTaken),
)
def create_account(caller: KeyFacts, body: dict[str, Any]) -> Account:  # noqa: ARG001
    """Make an account for a customer who logs in at your own place: no password, key or mail.

    Give `external_id` or `email`, or both. Nobody logs in to it until the owner of the address sets
    a password by `/api/auth/password/forgot`.
    """
    return accounts.create_account(**body, client=current_client())


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


@internal.delete("/accounts/<account_id>")
@endpoint(guard=service_key(ACCOUNTS), status=204, errors=(AccountOfKeyspace,))
def erase_account(caller: KeyFacts, account_id: Any) -> None:  # noqa: ARG001
    """Erase an account: its keys and sessions are dead at once, and nothing personal stays."""
    accounts.erase_account(account_id=account_id, client=current_client())


@internal.get("/accounts/<account_id>/limits")
@endpoint(
    guard=service_key(ACCOUNTS), query=LimitsQuery, data=AccountLimitsSchema, errors=(NoSuchKey,)
)
def show_account_limits(
    caller: KeyFacts,  # noqa: ARG001
    query: dict[str, Any],
    account_id: Any,
) -> AccountLimits:
    """What the account's limits are, or one of its keys', and what is left of them."""
    return account_limits.get_limits(account_id=account_id, **query)
