"""An application with things, which are made by calls that may be sent again."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.api.internal.idempotency.things import add_things
from tests.clients import Client, Member
from tests.factories.api_keys import make_service_key


@pytest.fixture
def app(share_app: Callable[..., Flask]) -> Flask:
    application = share_app()
    return application if "things" in application.blueprints else add_things(application)


@pytest.fixture
def service(client: Client) -> Client:
    return client.as_key(make_service_key(client.app, "accounts"))


@pytest.fixture
def member(client: Client) -> Member:
    return client.sign_up()
