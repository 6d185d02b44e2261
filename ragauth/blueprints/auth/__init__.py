"""Accounts and sessions: what the dashboard calls."""

from ragauth.blueprints.auth import (
    accounts,
    emails,
    events,
    export,
    passwords,
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
    "second_factor",
    "sessions",
    "usage",
]
