"""Scopes: what a key may be used for."""

from collections.abc import Sequence

QUERY = "query"
INGEST = "ingest"
MANAGE = "manage"
KEY_SCOPES = (QUERY, INGEST, MANAGE)

VERIFY = "verify"
ACCOUNTS = "accounts"
USAGE = "usage"
SERVICE_SCOPES = (VERIFY, ACCOUNTS, USAGE)


def granted_scopes(scopes: Sequence[str] | None) -> Sequence[str]:
    """A customer's key without a list has all three."""
    return KEY_SCOPES if scopes is None else scopes
