"""What the dashboard calls, below `/api/auth`: accounts and their sessions.

Most routes take an access token, and act on the account that it names alone.
"""

from ragauth.blueprints.auth import (
    accounts,
    emails,
    events,
    export,
    passwords,
    scopes,
    second_factor,
    sessions,
    usage,
)
from ragauth.blueprints.auth.blueprint import auth

__all__ = [
    "accounts",
    "auth",
    "emails",
    "events",
    "export",
    "passwords",
    "scopes",
    "second_factor",
    "sessions",
    "usage",
]
