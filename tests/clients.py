"""A client of the service in process, and the form that each of its answers must have."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from ragauth.security.identifiers import ACCOUNT, encode_id
from tests import ready_members
from tests.ready_members import READY_MEMBERS

PASSWORD = "correct horse battery staple"

_numbers = itertools.count(1)


class Client:
    """Flask's test client with the headers of one caller; it keeps no cookies."""

    def __init__(self, app: Flask, headers: Mapping[str, str] | None = None) -> None:
        self.app = app
        self.headers = dict(headers or {})

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> TestResponse:
        return self.app.test_client(use_cookies=False).open(
            path, method=method, headers={**self.headers, **(headers or {})}, **options
        )

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        """POST, with `body` as JSON unless it is None."""
        return self.request("POST", path, **_json(body), **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.request("PATCH", path, **_json(body), **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.request("DELETE", path, **options)

    def as_user(self, token: str) -> "Client":
        """The caller with this access (or refresh) token."""
        return Client(self.app, {**self.headers, "Authorization": f"Bearer {token}"})

    def as_key(self, api_key: str) -> "Client":
        """The caller with this API key."""
        return Client(self.app, {**self.headers, "X-API-Key": api_key})

    def sign_up(self, **overrides: Any) -> "Member":
        """A new account, with its first session and its primary key.

        It takes a request where something is asked of it, by an override or a header, and where the
        application's settings may matter.
        """
        email = f"member-{next(_numbers)}@example.com"
        if not overrides and not self.headers and self.app.config.get(READY_MEMBERS):
            return self._ready_member(email)
        body = {"email": email, "password": PASSWORD, **overrides}
        data = ok(self.post("/api/auth/signup", body), 201)
        return Member(
            client=self.as_user(data["token"]),
            id=data["account"]["id"],
            email=body["email"],
            password=body["password"],
            token=data["token"],
            refresh_token=data["refresh_token"],
            api_key=data["api_key"],
        )

    def _ready_member(self, email: str) -> "Member":
        made = ready_members.sign_up(self.app, email=email, password=PASSWORD)
        return Member(
            client=self.as_user(made.tokens.token),
            id=encode_id(ACCOUNT, made.account.id),
            email=email,
            password=PASSWORD,
            token=made.tokens.token,
            refresh_token=made.tokens.refresh_token,
            api_key=made.api_key,
        )

    def log_in(self, member: "Member") -> dict[str, Any]:
        """A further session's token pair, and the account."""
        body = {"email": member.email, "password": member.password}
        data: dict[str, Any] = ok(self.post("/api/auth/login", body))
        return data


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who signed up; `client` calls with the first access token."""

    client: Client
    id: str
    email: str
    password: str
    token: str
    refresh_token: str
    api_key: str

    @property
    def key_client(self) -> Client:
        """A caller with the primary key."""
        return Client(self.client.app).as_key(self.api_key)

    def create_key(self, **fields: Any) -> dict[str, Any]:
        data: dict[str, Any] = ok(
            self.client.post("/api/auth/api-keys", {"name": "Further", **fields}), 201
        )
        return data

    def create_agent(self, **fields: Any) -> dict[str, Any]:
        data: dict[str, Any] = ok(
            self.client.post("/api/agents", {"name": "Support bot", **fields}), 201
        )
        return data

    def event_names(self) -> list[str]:
        """The names of the account's events, newest first."""
        return [event["name"] for event in ok(self.client.get("/api/auth/events?limit=100"))]


def _json(body: Any) -> dict[str, Any]:
    return {} if body is None else {"json": body}


def ok(response: TestResponse, status: int = 200) -> Any:
    """The `data` of a success, whose envelope has nothing else but a list's `meta`."""
    assert response.status_code == status, response.text
    _assert_headers(response)
    if status == 204:
        assert response.data == b""
        return None
    assert response.content_type == "application/json"
    body = response.get_json()
    assert set(body) == ({"data", "meta"} if isinstance(body["data"], list) else {"data"})
    if "meta" in body:
        assert set(body["meta"]) == {"next_cursor"}
    return body["data"]


def error(
    response: TestResponse, status: int, code: str, reason: str | None = None
) -> dict[str, Any]:
    """The `details` of a failure (empty if it has none), whose envelope must be exact."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/json"
    _assert_headers(response)
    body = response.get_json()
    assert set(body) == {"error"}
    failure = body["error"]
    assert set(failure) in ({"code", "message"}, {"code", "message", "details"})
    assert failure["code"] == code, response.text
    assert isinstance(failure["message"], str)
    assert failure["message"]
    details: dict[str, Any] = failure.get("details", {})
    assert details.get("reason") == reason, response.text
    if status == 401:
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="ragauth"')
    return details


def issues(response: TestResponse, status: int = 400) -> dict[tuple[str | int, ...], str]:
    """The faults of a VALIDATION_ERROR, each message by its path; no path has two."""
    details = error(response, status, "VALIDATION_ERROR")
    assert set(details) == {"issues"}
    assert all(set(issue) == {"path", "message"} for issue in details["issues"])
    found = {tuple(issue["path"]): issue["message"] for issue in details["issues"]}
    assert len(found) == len(details["issues"]), response.text
    return found


def assert_same_answer(one: TestResponse, other: TestResponse) -> None:
    """Two answers that nobody can tell apart, their request ids aside."""
    assert one.status_code == other.status_code
    assert one.data == other.data
    ignored = {"X-Request-Id"}
    assert {name: value for name, value in one.headers if name not in ignored} == {
        name: value for name, value in other.headers if name not in ignored
    }


def assert_needs_access_token(client: Client, method: str, path: str, body: Any = None) -> None:
    """No credential, an API key, a refresh token, garbage and an ended session are all refused."""
    member = client.sign_up()

    def refused(caller: Client, reason: str) -> None:
        response = caller.request(method, path, **_json(body))
        error(response, 401, "AUTHENTICATION_ERROR", reason)

    refused(client, "missing")
    refused(client.as_user(member.api_key), "wrong_credential_type")
    refused(client.as_key(member.api_key), "wrong_credential_type")
    refused(client.as_user(member.refresh_token), "wrong_credential_type")
    refused(client.as_user("garbage"), "malformed")
    ok(member.client.post("/api/auth/logout"), 204)
    refused(member.client, "revoked")


def _assert_headers(response: TestResponse) -> None:
    assert response.headers.getlist("X-Request-Id") == [response.headers["X-Request-Id"]]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    if response.request.path.startswith("/api/"):
        assert response.headers["Cache-Control"] == "no-store"
