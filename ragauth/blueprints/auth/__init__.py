"""Accounts and sessions: what the dashboard calls."""

from flask import Blueprint

auth = Blueprint("auth", __name__)

from ragauth.blueprints.auth import accounts, events, export, sessions, usage  # noqa: E402, F401
