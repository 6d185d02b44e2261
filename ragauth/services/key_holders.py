"""Who holds a key: the account behind it, its limits and what is used of them."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from ragauth.errors import CredentialRevoked
from ragauth.extensions import db
from ragauth.models import Account, ApiKey
from ragauth.models import accounts as account_rows
from ragauth.services.limits import current_limits
from ragauth.services.plans import Plan


@dataclass(frozen=True, slots=True)
class MonthUsage:
    """How much of the month's quota is used, in units of cost."""

    this_month: int
    remaining: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """A key, and the account that it belongs to (a service's own has none)."""

    key: ApiKey
    account: Account | None
    limits: Plan | None
    usage: MonthUsage | None


def get_holder(*, key_id: uuid.UUID) -> KeyHolder:
    """Raises CredentialRevoked when the key went while it was asked for."""
    key = db.session.get(ApiKey, key_id)
    if key is None:
        raise CredentialRevoked
    if key.account_id is None:
        return KeyHolder(key, None, None, None)
    account = account_rows.find_account(key.account_id)
    if account is None:
        raise CredentialRevoked
    state = current_limits().peek(account.id.bytes, key.environment, account.plan)
    month = MonthUsage(state.month_used, state.month_remaining, state.month_resets_at)
    return KeyHolder(key, account, state.plan, month)
