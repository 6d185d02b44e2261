"""Who is on the other end of the present request."""

import hashlib
import ipaddress

from flask import request

from ragauth.security.redaction import redact_credentials
from ragauth.services.audit import Client

_USER_AGENT_LENGTH = 400


def current_client() -> Client:
    """The address that the configured number of proxies vouches for, and the user agent."""
    user_agent = request.headers.get("User-Agent")
    digest = hashlib.sha256((user_agent or "").encode("utf-8", "surrogatepass")).digest()
    if user_agent is not None:
        # Before it is cut: half a key is too much, too.
        user_agent = redact_credentials(user_agent.replace("\0", ""))[:_USER_AGENT_LENGTH]
    return Client(_address(request.remote_addr), user_agent, digest)


def _address(text: str | None) -> str | None:
    """An address without a zone; None for what a proxy handed on that is none."""
    try:
        return str(ipaddress.ip_address((text or "").partition("%")[0]))
    except ValueError:
        return None
