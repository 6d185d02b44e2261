"""POST routes below /api/v1/internal that make things, whatever routes the service has itself."""

import uuid
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask

from ragauth import transaction
from ragauth.errors import InvalidCode
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.api_keys import IssuedKeySchema, NewKeySchema
from ragauth.security.scopes import ACCOUNTS
from ragauth.services import audit
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.keys import agents, api_keys
from ragauth.services.keys.api_keys import IssuedKey
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

THINGS = "/api/v1/internal/things"
GUARD = service_key(ACCOUNTS)


def add_things(app: Flask) -> Flask:
    """Add the routes to an application that nobody has asked yet."""
    things = Blueprint("things", __name__)
    add_keys(things)
    add_odd_ones(things)
    app.register_blueprint(things, url_prefix=THINGS)
    return app


def add_keys(things: Blueprint) -> None:
    @things.post("/<account_id>/keys")
    @endpoint(guard=GUARD, body=NewKeySchema, data=IssuedKeySchema, status=201)
    def make_thing(caller: KeyFacts, body: dict[str, Any], account_id: uuid.UUID) -> IssuedKey:
        """Make a key."""
        agent_id = body.pop("agent_id", None)
        return api_keys.create_key(
            account_id=account_id, fields=body, agent_id=agent_id, client=OPERATOR
        )

    @things.post("/<account_id>/bodiless")
    @endpoint(guard=GUARD, status=204)
    def make_bodiless(caller: KeyFacts, account_id: uuid.UUID) -> None:
        """Make an agent, and tell nothing of it."""
        agents.create_agent(account_id=account_id, name="Bot", description=None, client=OPERATOR)


def add_odd_ones(things: Blueprint) -> None:
    def odd(does: Callable[[uuid.UUID], None]) -> None:
        @endpoint(guard=GUARD, status=204)
        def view(caller: KeyFacts, account_id: uuid.UUID) -> None:
            does(account_id)

        things.post(f"/<account_id>/{does.__name__}", endpoint=does.__name__)(view)

    for does in (refused_and_kept, broken_after_the_work, twice, nothing):
        odd(does)


def record(account_id: uuid.UUID) -> None:
    audit.record(EventName.ACCOUNT_CHANGED, account_id=account_id, client=OPERATOR)


def refused_and_kept(account_id: uuid.UUID) -> None:
    """As a wrong code of a second factor: what it wrote is kept, and the answer is 401."""
    with transaction.unit_of_work():
        record(account_id)
        raise InvalidCode


def broken_after_the_work(account_id: uuid.UUID) -> None:
    with transaction.unit_of_work():
        record(account_id)
    raise RuntimeError("a bug")


def twice(account_id: uuid.UUID) -> None:
    for _ in range(2):
        with transaction.unit_of_work():
            record(account_id)


def nothing(account_id: uuid.UUID) -> None:
    """A view that asks no service."""
