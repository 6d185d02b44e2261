"""Customers: accounts by the names that the operator gave them, for who keeps their own logins.

Such an account is made without the limits of a plan: what limits its keys is set on them, or on it.
One that signed up, or that got its external id later, keeps its plan.
"""

import uuid
from contextlib import suppress
from typing import Any

from ragauth import transaction
from ragauth.errors import ExternalIdTaken, NoSuchAccount
from ragauth.extensions import current_policy
from ragauth.models import Account, account_search
from ragauth.models import accounts as account_rows
from ragauth.models.base import Page
from ragauth.policy import FIRST_PLAN
from ragauth.services.audit import Client
from ragauth.services.limits.account_limits import without_limits_of
from ragauth.services.operators import accounts


def create_customer(
    *, external_id: str, metadata: dict[str, Any] | None, client: Client
) -> Account:
    """Raises ExternalIdTaken: of several calls at once exactly one succeeds."""
    return accounts.create_account(
        email=None,
        external_id=external_id,
        metadata=metadata,
        limits=without_limits_of(current_policy().plan(FIRST_PLAN)),
        client=client,
    )


def find_or_create_customer(*, external_id: str, client: Client) -> Account:
    """The account that the operator calls so; it is made if there is none."""
    found = accounts.find_by_external_id(external_id)
    while found is None:
        # Another call may make it first, or erase it again.
        with suppress(ExternalIdTaken):
            return create_customer(external_id=external_id, metadata=None, client=client)
        found = accounts.find_by_external_id(external_id)
    return found


def get_customer(named: uuid.UUID | str) -> Account:
    """The account with this id or external id; NoSuchAccount for one that has no external id."""
    with transaction.read_only():
        if isinstance(named, uuid.UUID):
            account = account_rows.find_account(named)
        else:
            account = account_rows.find_by_external_id(named)
    if account is None or account.external_id is None:
        raise NoSuchAccount
    return account


def list_customers(*, search: str | None, limit: int, cursor: uuid.UUID | None) -> Page[Account]:
    """The accounts with an external id, or those in whose external id a text is; newest first.

    The text may be in upper or lower case, or the beginning of an account's id.
    """
    with transaction.read_only():
        return account_search.list_customers(search=search, limit=limit, cursor=cursor)
