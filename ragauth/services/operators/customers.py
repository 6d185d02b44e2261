"""Customers: accounts by the names that the operator gave them, for who keeps their own logins.

Such an account is made without the limits of a plan: what limits its keys is set on them, or on it.
One that signed up, or that got its external id later, keeps its plan.
"""

import uuid
from contextlib import suppress
from typing import Any

from ragauth import transaction
from ragauth.errors import ExternalIdTaken, NoSuchAccount, NoSuchKey
from ragauth.extensions import current_policy
from ragauth.models import Account, account_search
from ragauth.models import accounts as account_rows
from ragauth.models import api_keys as key_rows
from ragauth.models import keyspaces as keyspace_rows
from ragauth.models.base import Page
from ragauth.policy import FIRST_PLAN
from ragauth.services import audit
from ragauth.services.account_lock import hold_account
from ragauth.services.accounts import erasure
from ragauth.services.audit import Client, EventName
from ragauth.services.keys import moving
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


def release_customer(named: uuid.UUID | str, *, client: Client) -> None:
    """Forget a customer; its keys of keyspaces live on, in the keyspaces' own accounts.

    An account that is then of no use, without an address and without a live key, is erased. Another
    loses its external id and what was kept with it. Raises NoSuchAccount.
    """
    account = get_customer(named)
    while (found := _find_movable(account.id)) is not None:
        key_id, to_account_id = found
        # Revoked, or moved by another call, meanwhile: the next look does not find it.
        with suppress(NoSuchKey):
            moving.move_key(
                account_id=account.id, key_id=key_id, to_account_id=to_account_id, client=client
            )
    with transaction.unit_of_work():
        account = hold_account(account.id, absent=NoSuchAccount)
        is_of_use = account.email is not None or keyspace_rows.has_keyspace(account.id)
        if not is_of_use and not key_rows.count_keys(account.id, include_revoked=False):
            erasure.erase_account(account, client)
            return
        account.external_id = account.own_data = None
        fields = ["external_id", "metadata"]
        audit.record(EventName.ACCOUNT_CHANGED, account_id=account.id, client=client, fields=fields)


def _find_movable(account_id: uuid.UUID) -> tuple[uuid.UUID, uuid.UUID] | None:
    with transaction.read_only():
        return keyspace_rows.find_key_of_account(account_id)


def list_customers(*, search: str | None, limit: int, cursor: uuid.UUID | None) -> Page[Account]:
    """The accounts with an external id, or those in whose external id a text is; newest first.

    The text may be in upper or lower case, or the beginning of an account's id.
    """
    with transaction.read_only():
        return account_search.list_customers(search=search, limit=limit, cursor=cursor)
