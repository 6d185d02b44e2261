"""Scopes: what a key may be used for."""

QUERY = "query"
INGEST = "ingest"
MANAGE = "manage"
KEY_SCOPES = (QUERY, INGEST, MANAGE)

VERIFY = "verify"
ACCOUNTS = "accounts"
USAGE = "usage"
SERVICE_SCOPES = (VERIFY, ACCOUNTS, USAGE)
