"""Scopes of services' keys. Those of accounts' keys are the policy's, see `ragauth.policy`."""

VERIFY = "verify"
ACCOUNTS = "accounts"
USAGE = "usage"
KEYS = "keys"
WEBHOOKS = "webhooks"
SERVICE_SCOPES = (VERIFY, ACCOUNTS, USAGE, KEYS, WEBHOOKS)
