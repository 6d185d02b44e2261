"""Agents: made, listed, changed, deleted. Deleting an agent revokes its keys."""

import uuid
from typing import Any

from ragauth import clock, transaction
from ragauth.errors import NoSuchAgent, UsageLimitExceeded
from ragauth.extensions import current_policy, db
from ragauth.metrics import LIMIT_HITS
from ragauth.models import Agent
from ragauth.models import agents as agent_rows
from ragauth.models.base import Page, Shown
from ragauth.security.identifiers import AGENT, encode_id, new_uuid
from ragauth.services import audit
from ragauth.services.account_lock import hold_account
from ragauth.services.audit import Client, EventName
from ragauth.services.keys import revocation


def create_agent(
    *, account_id: uuid.UUID, name: str, description: str | None, client: Client
) -> Agent:
    with transaction.unit_of_work():
        account = hold_account(account_id)
        size = current_policy().plan(account.plan).max_agents
        if agent_rows.count_agents(account_id) >= size:
            LIMIT_HITS.count("max_agents")
            raise UsageLimitExceeded(
                f"The plan's maximum number of agents ({size}) is reached",
                details={"limit": "max_agents", "size": size},
            )
        agent = Agent(
            id=new_uuid(),
            account_id=account_id,
            name=name,
            description=description,
            created_at=clock.now(),
        )
        db.session.add(agent)
        audit.record(
            EventName.AGENT_CREATED,
            account_id=account_id,
            client=client,
            agent_id=encode_id(AGENT, agent.id),
        )
        return agent


def list_agents(*, account_id: uuid.UUID, limit: int, cursor: uuid.UUID | None) -> Page[Shown]:
    with transaction.read_only():
        return agent_rows.list_agents(account_id, limit=limit, cursor=cursor)


def show_agent(*, account_id: uuid.UUID, agent_id: uuid.UUID) -> Agent:
    """Show one agent; raises NoSuchAgent, also for another account's agent."""
    with transaction.read_only():
        return get_agent(account_id=account_id, agent_id=agent_id)


def get_agent(*, account_id: uuid.UUID, agent_id: uuid.UUID) -> Agent:
    """Find one agent of the account in the present transaction; raises NoSuchAgent."""
    agent = agent_rows.find_agent(account_id, agent_id)
    if agent is None:
        raise NoSuchAgent
    return agent


def change_agent(*, account_id: uuid.UUID, agent_id: uuid.UUID, changes: dict[str, Any]) -> Agent:
    with transaction.unit_of_work():
        hold_account(account_id)
        agent = get_agent(account_id=account_id, agent_id=agent_id)
        for field, value in changes.items():
            setattr(agent, field, value)
        return agent


def delete_agent(*, account_id: uuid.UUID, agent_id: uuid.UUID, client: Client) -> None:
    """Delete an agent; its keys are dead at once. Raises NoSuchAgent."""
    with transaction.unit_of_work():
        hold_account(account_id)
        end_agent(get_agent(account_id=account_id, agent_id=agent_id), client)


def end_agent(agent: Agent, client: Client) -> None:
    """As `delete_agent`, in the present transaction, which holds the account's lock."""
    revoked = revocation.revoke_of_agent(agent.id, client)
    db.session.delete(agent)
    audit.record(
        EventName.AGENT_DELETED,
        account_id=agent.account_id,
        client=client,
        agent_id=encode_id(AGENT, agent.id),
        revoked_keys=revoked,
    )
