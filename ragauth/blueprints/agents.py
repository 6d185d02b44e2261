"""Agents and the keys that are bound to them."""

from typing import Any

from flask import Blueprint

from ragauth.errors import UsageLimitExceeded
from ragauth.models import Agent
from ragauth.models.base import Page, Shown
from ragauth.schemas.agents import AgentChangesSchema, AgentSchema, NewAgentSchema
from ragauth.schemas.api_keys import AgentKeySchema, AgentKeysQuery, IssuedKeySchema, KeySchema
from ragauth.schemas.base import PageQuery
from ragauth.services.keys import agents as service
from ragauth.services.keys import api_keys
from ragauth.services.keys.api_keys import IssuedKey
from ragauth.services.sessions.sessions import Caller
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token

agents = Blueprint("agents", __name__)


@agents.post("")
@endpoint(
    guard=access_token,
    body=NewAgentSchema,
    data=AgentSchema,
    status=201,
    errors=(UsageLimitExceeded,),
)
def create_agent(caller: Caller, body: dict[str, Any]) -> Agent:
    """Make an agent."""
    return service.create_agent(account_id=caller.account.id, **body, client=current_client())


@agents.get("")
@endpoint(guard=access_token, query=PageQuery, data=AgentSchema, is_quick=True)
def list_agents(caller: Caller, query: dict[str, Any]) -> Page[Shown]:
    """The account's agents."""
    return service.list_agents(account_id=caller.account.id, **query)


@agents.get("/<agent_id>")
@endpoint(guard=access_token, data=AgentSchema)
def show_agent(caller: Caller, agent_id: Any) -> Agent:
    """One agent."""
    return service.show_agent(account_id=caller.account.id, agent_id=agent_id)


@agents.patch("/<agent_id>")
@endpoint(guard=access_token, body=AgentChangesSchema, data=AgentSchema)
def change_agent(caller: Caller, body: dict[str, Any], agent_id: Any) -> Agent:
    """Change an agent's name or description."""
    return service.change_agent(account_id=caller.account.id, agent_id=agent_id, changes=body)


@agents.delete("/<agent_id>")
@endpoint(guard=access_token, status=204)
def delete_agent(caller: Caller, agent_id: Any) -> None:
    """Delete an agent; its keys are dead at once."""
    service.delete_agent(account_id=caller.account.id, agent_id=agent_id, client=current_client())


@agents.get("/<agent_id>/api-keys")
@endpoint(guard=access_token, query=AgentKeysQuery, data=KeySchema)
def list_agent_keys(caller: Caller, query: dict[str, Any], agent_id: Any) -> Page[Shown]:
    """The agent's keys."""
    return api_keys.list_keys(account_id=caller.account.id, agent_id=agent_id, **query)


@agents.post("/<agent_id>/api-keys")
@endpoint(
    guard=access_token,
    body=AgentKeySchema,
    data=IssuedKeySchema,
    status=201,
    errors=(UsageLimitExceeded,),
)
def create_agent_key(caller: Caller, body: dict[str, Any], agent_id: Any) -> IssuedKey:
    """Make a key that is bound to the agent; its raw form is shown this once."""
    return api_keys.create_key(
        account_id=caller.account.id, fields=body, agent_id=agent_id, client=current_client()
    )
