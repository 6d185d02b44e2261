"""The client of the present request."""

import hashlib

from flask import request

from ragauth.security.plain_text import strip_deceptive
from ragauth.security.redaction import redact_credentials
from ragauth.services.audit import OPERATOR, Client

_USER_AGENT_LENGTH = 400
_OPERATORS = "/api/v1/internal/"


def current_client() -> Client:
    """The client's address, as `web.forwarded` has set it, and its user agent."""
    user_agent = request.headers.get("User-Agent")
    digest = hashlib.sha256((user_agent or "").encode("utf-8", "surrogatepass")).digest()
    if user_agent is not None:
        user_agent = redact_credentials(strip_deceptive(user_agent), longest=_USER_AGENT_LENGTH)
    # A history tells by it that the operator acted: nobody may say so of themselves.
    if user_agent == OPERATOR.user_agent and not request.path.startswith(_OPERATORS):
        user_agent = f'"{user_agent}"'
    return Client(request.remote_addr, user_agent, digest)
