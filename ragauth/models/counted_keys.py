"""The keys of customers as far as what they use is counted: of any state, dead ones too."""

import uuid
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Text, select, type_coerce

from ragauth.extensions import db
from ragauth.models.accounts import Account
from ragauth.models.api_keys import ApiKey


class CountedKey(NamedTuple):
    """Whose counts a key adds to, and under which limits (JSON texts)."""

    id: uuid.UUID
    account_id: uuid.UUID
    environment: str
    counted_as: uuid.UUID | None
    limits: str | None
    plan: str
    account_limits: str | None


def list_counted(key_ids: Collection[uuid.UUID]) -> list[CountedKey]:
    """Those of these keys that exist; a service's own key is none of them."""
    query = (
        select(
            ApiKey.id,
            ApiKey.account_id,
            ApiKey.environment,
            ApiKey.counted_as,
            type_coerce(ApiKey.limits, Text).label("limits"),
            Account.plan,
            type_coerce(Account.limits, Text).label("account_limits"),
        )
        .join(Account, Account.id == ApiKey.account_id)
        .where(ApiKey.id.in_(key_ids))
    )
    return [CountedKey._make(row) for row in db.session.execute(query)]
