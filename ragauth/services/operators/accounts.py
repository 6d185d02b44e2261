"""What operators do with accounts: find them, set their plan, suspend and resume them."""

import uuid
from typing import Any

from ragauth.errors import InvalidRequest, NoSuchAccount
from ragauth.models import Account, account_search
from ragauth.models import accounts as rows
from ragauth.models.accounts import SUSPENDED
from ragauth.models.base import Page
from ragauth.security.emails import canonical_email
from ragauth.security.identifiers import ACCOUNT, decode_id
from ragauth.services import audit
from ragauth.services.account_lock import lock_account
from ragauth.services.audit import OPERATOR, Client, EventName
from ragauth.services.limits.plans import current_plans
from ragauth.services.sessions import sessions


def get_account(*, account_id: uuid.UUID) -> Account:
    """Raises NoSuchAccount."""
    account = rows.find_account(account_id)
    if account is None:
        raise NoSuchAccount
    return account


def find_account_by_email(*, email: str) -> Account | None:
    try:
        return rows.find_by_email(canonical_email(email))
    except ValueError:
        return None


def find(email_or_id: str) -> Account | None:
    """The account with this e-mail address or `acc_` id."""
    if "@" in email_or_id:
        return find_account_by_email(email=email_or_id)
    try:
        return rows.find_account(decode_id(ACCOUNT, email_or_id))
    except ValueError:
        return None


def list_accounts(
    *,
    email: str | None,
    limit: int,
    cursor: uuid.UUID | None,
    plan: str | None = None,
    status: str | None = None,
) -> Page[Account]:
    """Newest first; with an e-mail, the one account that has it."""
    if email is None:
        return rows.list_accounts(
            email_canonical=None, limit=limit, cursor=cursor, plan=plan, status=status
        )
    account = find_account_by_email(email=email)
    return Page([] if account is None else [account], None)


def search_accounts(
    *,
    search: str | None,
    plan: str | None,
    status: str | None,
    limit: int,
    cursor: uuid.UUID | None,
) -> Page[Account]:
    """Newest first. The text may stand anywhere in e-mail, username or name, in any case, or be
    an id or how one begins.
    """
    return account_search.search_accounts(
        search=search, plan=plan, status=status, limit=limit, cursor=cursor
    )


def count_accounts(*, search: str | None, plan: str | None, status: str | None) -> int:
    """How many `search_accounts` finds in all."""
    return account_search.count_accounts(search=search, plan=plan, status=status)


def administer(*, account_id: uuid.UUID, changes: dict[str, Any], client: Client) -> Account:
    """Set plan, status or both. Raises NoSuchAccount; InvalidRequest for no plan."""
    account = _lock(account_id)
    if "plan" in changes:
        set_plan(account_id=account_id, plan=changes["plan"], client=client)
    if "status" in changes:
        set_status(account_id=account_id, status=changes["status"], client=client)
    return account


def set_plan(*, account_id: uuid.UUID, plan: str, client: Client = OPERATOR) -> Account:
    """Takes effect on the next request. Raises NoSuchAccount; InvalidRequest for no plan."""
    require_plan(plan)
    account = _lock(account_id)
    if account.plan != plan:
        audit.record(
            EventName.PLAN_CHANGED,
            account_id=account_id,
            client=client,
            old_plan=account.plan,
            new_plan=plan,
        )
        account.plan = plan
    return account


def set_status(*, account_id: uuid.UUID, status: str, client: Client = OPERATOR) -> Account:
    """Suspend or resume; takes effect on the next request. Raises NoSuchAccount."""
    account = _lock(account_id)
    if account.status != status:
        name = EventName.ACCOUNT_SUSPENDED if status == SUSPENDED else EventName.ACCOUNT_RESUMED
        audit.record(name, account_id=account_id, client=client)
        account.status = status
    return account


def end_sessions(*, account_id: uuid.UUID, client: Client = OPERATOR) -> int:
    """End them all, from the next request on; returns how many. Raises NoSuchAccount."""
    _lock(account_id)
    return sessions.end_sessions(account_id=account_id, client=client)


def require_plan(plan: str) -> None:
    """Raises InvalidRequest."""
    plans = current_plans()
    if plan not in plans:
        message = f"There is no such plan; there are: {', '.join(plans)}"
        raise InvalidRequest([{"path": ["plan"], "message": message}])


def _lock(account_id: uuid.UUID) -> Account:
    account = lock_account(account_id)
    if account is None:
        raise NoSuchAccount
    return account
