"""Who is on the other end of the present request."""

import ipaddress

from flask import request

from ragauth.security.redaction import redact_credentials
from ragauth.services.audit import Client

_USER_AGENT_LENGTH = 400


def current_client() -> Client:
    """The address that the configured number of proxies vouches for, and the user agent."""
    user_agent = request.headers.get("User-Agent")
    if user_agent is not None:
        user_agent = redact_credentials(user_agent.replace("\0", ""), longest=_USER_AGENT_LENGTH)
    return Client(ip=_address(request.remote_addr), user_agent=user_agent)


def _address(text: str | None) -> str | None:
    """An address without a zone; None for what a proxy handed on that is none."""
    try:
        return str(ipaddress.ip_address((text or "").partition("%")[0]))
    except ValueError:
        return None
