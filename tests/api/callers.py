"""Callers with the credential that a route asks for."""

from ragauth.security.scopes import SERVICE_SCOPES
from tests.api.routes import Route
from tests.clients import Client
from tests.factories.api_keys import make_service_key


def caller_of(client: Client, route: Route) -> Client:
    """A new account's or service's client that the route lets in."""
    if route.credential == "token":
        return client.sign_up().client
    if route.credential == "key":
        return client.sign_up().key_client
    if route.credential == "service":
        return client.as_key(make_service_key(client.app, *SERVICE_SCOPES))
    return client
