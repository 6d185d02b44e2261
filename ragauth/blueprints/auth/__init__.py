"""Accounts and sessions: what the dashboard calls."""

from flask import Blueprint

auth = Blueprint("auth", __name__)

from ragauth.blueprints.auth import (  # noqa: E402, F401
    accounts,
    emails,
    events,
    export,
    passwords,
    second_factor,
    sessions,
    usage,
)
