"""API keys: managed with an access token, presented to the check."""

from flask import Blueprint

manage = Blueprint("keys", __name__)
check = Blueprint("check", __name__)

from ragauth.blueprints.keys import checking, holder, managing, rotation  # noqa: E402, F401
