"""Who calls while schemathesis asks: somebody new after each act that may have used him up."""

from collections.abc import Callable, Mapping

from flask import Flask

from tests.clients import Client, Member, ok
from tests.factories.api_keys import make_service_key

ACCESS_TOKEN = "accessToken"
API_KEY = "apiKey"
_SCOPES = ("verify", "accounts", "usage")
Headers = Mapping[str, str]


class Caller:
    """Without a credential; with the ids of what belongs to somebody.

    `scheme` is the security scheme that the credential is for. Of `least_successes` routes it must
    get an answer of 2xx: a caller whom everything refuses tests nothing.
    """

    scheme: str | None = None
    least_successes = 6

    def __init__(self, app: Flask) -> None:
        self._client = Client(app)
        self.renew()

    def renew(self) -> None:
        """Be somebody new, with a key and an agent."""
        self.asked = 0
        self.member: Member = self._client.sign_up()
        self.ids = {
            "account_id": self.member.id,
            "key_id": self.member.create_key()["id"],
            "agent_id": self.member.create_agent()["id"],
            "session_id": ok(self.member.client.get("/api/auth/sessions"))[0]["id"],
        }

    def headers(self) -> Headers:
        return {}


class User(Caller):
    """With an access token."""

    scheme = ACCESS_TOKEN
    least_successes = 20

    def headers(self) -> Headers:
        return {"Authorization": f"Bearer {self.member.token}"}


class KeyHolder(Caller):
    """With a customer's key."""

    scheme = API_KEY
    least_successes = 2

    def headers(self) -> Headers:
        return {"X-API-Key": self.member.api_key}


class Service(Caller):
    """With a service's key of every scope."""

    scheme = API_KEY
    least_successes = 3

    def __init__(self, app: Flask) -> None:
        self._key = make_service_key(app, *_SCOPES)
        super().__init__(app)

    def headers(self) -> Headers:
        return {"X-API-Key": self._key}


NewCaller = Callable[[Flask], Caller]
