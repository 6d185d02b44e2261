"""API keys: managed with an access token, presented to the check."""

from ragauth.blueprints.keys import checking, holder, managing, rotation
from ragauth.blueprints.keys.blueprint import check, manage

__all__ = ["check", "checking", "holder", "manage", "managing", "rotation"]
