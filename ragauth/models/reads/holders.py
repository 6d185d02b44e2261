"""The read for a key's holder: the key and its account, to be shown, by the key's id."""

import uuid
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from ragauth.models.accounts import DELETED, Account
from ragauth.models.api_keys import ApiKey
from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.reads.rows import PreparedRows

_OF_KEY = (
    *(ApiKey.id, ApiKey.account_id, ApiKey.agent_id, ApiKey.name, ApiKey.prefix, ApiKey.kind),
    *(ApiKey.environment, ApiKey.scopes, ApiKey.allowed_ips, ApiKey.allowed_origins),
    (ApiKey.is_enabled & ApiKey.revoked_at.is_(None)).label("is_active"),
    *(ApiKey.is_primary, ApiKey.created_at, ApiKey.expires_at, ApiKey.last_used_at),
    *(ApiKey.replaced_by, ApiKey.is_managed, ApiKey.limits, ApiKey.counted_as),
    ApiKey.own_data,
)
_OF_ACCOUNT = (
    *(Account.id, Account.email, Account.username, Account.name, Account.plan),
    Account.email_verified_at.is_not(None).label("email_verified"),
    *(Account.created_at, Account.limits),
)
_KEY = select(*_OF_KEY).where(ApiKey.id == bindparam("key_id"))
_ACCOUNT = select(*_OF_ACCOUNT).where(
    Account.id == bindparam("account_id"), Account.status != DELETED
)


class HolderFacts(NamedTuple):
    """Rows with named columns; `account` is None if the key has none."""

    key: Any
    account: Any


class HolderLookup:
    """Finds keys and their accounts by the key's id."""

    def __init__(self, reads: PreparedReads) -> None:
        self._keys = PreparedRows(reads, _KEY)
        self._accounts = PreparedRows(reads, _ACCOUNT)

    def find_holder(self, key_id: uuid.UUID) -> HolderFacts | None:
        """Raises ExternalServiceUnavailable."""
        key = self._keys.first(key_id=key_id)
        if key is None:
            return None
        account = None
        if key.account_id is not None:
            account = self._accounts.first(account_id=key.account_id)
        return HolderFacts(key, account)
