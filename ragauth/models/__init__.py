"""Tables and their named queries, one aggregate a file."""

from ragauth.models.accounts import Account
from ragauth.models.agents import Agent
from ragauth.models.api_keys import ApiKey
from ragauth.models.events import Event
from ragauth.models.sessions import Session
from ragauth.models.usage import Usage

__all__ = ["Account", "Agent", "ApiKey", "Event", "Session", "Usage"]
