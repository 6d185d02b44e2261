"""Who is on the other end of the present request."""

from flask import request

from ragauth.services.audit import Client

_USER_AGENT_LENGTH = 400


def current_client() -> Client:
    """The address that the configured number of proxies vouches for, and the user agent."""
    user_agent = request.headers.get("User-Agent")
    if user_agent is not None:
        user_agent = user_agent.replace("\0", "")[:_USER_AGENT_LENGTH]
    return Client(ip=request.remote_addr, user_agent=user_agent)
