"""Agents, their keys, and questions to an agent, as RAG Chats' clients know them."""

from typing import Any

from flask import Response, g

from ragauth.blueprints.compat.face import WHOLE_LIST
from ragauth.blueprints.compat.ragchats.blueprint import ragchats
from ragauth.blueprints.compat.ragchats.schemas import (
    RagchatsAgent,
    RagchatsAnswer,
    RagchatsIssuedKey,
    RagchatsKey,
    RagchatsNewAgent,
    RagchatsNewKey,
    RagchatsQuestion,
)
from ragauth.errors import (
    InsufficientScope,
    RateLimitExceeded,
    UpstreamFailed,
    UsageLimitExceeded,
    WrongAgent,
)
from ragauth.extensions import current_policy
from ragauth.models import Agent
from ragauth.models.api_keys import SECRET
from ragauth.models.base import Page, Shown
from ragauth.models.reads.keys import KeyFacts
from ragauth.security.identifiers import AGENT, encode_id
from ragauth.security.key_format import LIVE
from ragauth.services.compat.query_upstream import current_upstream
from ragauth.services.keys import agents, api_keys
from ragauth.services.keys.api_keys import IssuedKey
from ragauth.services.keys.check import Question
from ragauth.services.sessions.sessions import Caller
from ragauth.web.check.answers import identity_headers
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.envelope import JSON_TYPE
from ragauth.web.guards import access_token, customer_key, require_key

# What a key must be good for. Where the policy does not declare it, no key is.
QUERY = "query"
QUERY_REFUSALS = (
    InsufficientScope(QUERY),
    WrongAgent,
    RateLimitExceeded,
    UsageLimitExceeded,
    UpstreamFailed,
)


@ragchats.get("/api/agents")
@endpoint(guard=access_token, data=RagchatsAgent, is_list=True)
def list_agents(caller: Caller) -> Page[Shown]:
    """The account's agents."""
    return agents.list_agents(account_id=caller.account.id, limit=WHOLE_LIST, cursor=None)


@ragchats.post("/api/agents")
@endpoint(
    guard=access_token,
    body=RagchatsNewAgent,
    data=RagchatsAgent,
    status=201,
    errors=(UsageLimitExceeded,),
)
def create_agent(caller: Caller, body: dict[str, Any]) -> Agent:
    """Make an agent."""
    return agents.create_agent(account_id=caller.account.id, **body, client=current_client())


@ragchats.get("/api/agents/<agent_uuid>/api-keys")
@endpoint(guard=access_token, data=RagchatsKey, is_list=True)
def list_agent_keys(caller: Caller, agent_uuid: Any) -> Page[Shown]:
    """The agent's keys."""
    return api_keys.list_keys(
        account_id=caller.account.id,
        agent_id=agent_uuid,
        include_revoked=False,
        limit=WHOLE_LIST,
        cursor=None,
    )


@ragchats.post("/api/agents/<agent_uuid>/api-keys")
@endpoint(
    guard=access_token,
    body=RagchatsNewKey,
    data=RagchatsIssuedKey,
    status=201,
    errors=(UsageLimitExceeded,),
)
def create_agent_key(caller: Caller, body: dict[str, Any], agent_uuid: Any) -> IssuedKey:
    """Make a key that is bound to the agent; its raw form is shown this once."""
    return api_keys.create_key(
        account_id=caller.account.id,
        fields={**body, "kind": SECRET, "environment": LIVE},
        agent_id=agent_uuid,
        client=current_client(),
    )


@ragchats.post("/api/agents/<agent_uuid>/query")
@endpoint(guard=customer_key, body=RagchatsQuestion, data=RagchatsAnswer, errors=QUERY_REFUSALS)
def query(caller: KeyFacts, body: dict[str, Any], agent_uuid: Any) -> Response:  # noqa: ARG001
    """Ask the agent; the question goes to RAGAUTH_COMPAT_QUERY_UPSTREAM.

    Counted as one request, once it is known to be a question.
    """
    upstream = current_upstream()
    # Nothing is counted for a question that nobody can answer.
    cost = 1 if upstream.is_set else None
    key = require_key(Question(scopes=(QUERY,), agent_id=agent_uuid.bytes, cost=cost))
    answer = upstream.ask(
        f"/api/agents/{agent_uuid}/query/",
        body,
        {
            **dict(identity_headers(key, current_policy())),
            # The agent that is asked, also where the key opens all of the account's.
            "X-Ragauth-Agent-Id": encode_id(AGENT, agent_uuid),
            "X-Request-Id": g.request_id,
        },
    )
    response = Response(answer.body, answer.status, content_type=JSON_TYPE)
    if answer.retry_after is not None:
        response.headers["Retry-After"] = answer.retry_after
    return response
