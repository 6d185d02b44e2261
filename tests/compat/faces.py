"""The faces as a hostile caller sees them: their routes, and the form of their refusals."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from werkzeug.test import TestResponse

from tests.clients import PASSWORD, error

UUID = "01890a5d-ac96-774b-bcce-b302099a8057"
TYPE_ID = "01h455vb4pex5vsknk084sn02q"


@dataclass(frozen=True, slots=True)
class Route:
    """`credential` is what it asks for: a token, a key, a service's, or nothing. `body` fits."""

    method: str
    path: str
    credential: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    # What stands beside the known fields is handed on, not refused.
    is_open: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class FaceCase:
    name: str
    routes: tuple[Route, ...]
    # Whether a failure has the face's own form; it asserts.
    assert_refused: Callable[[TestResponse], None]
    invalid_status: int
    # Where its routes lie.
    prefix: str

    def __str__(self) -> str:
        return self.name

    @property
    def guarded_by_token(self) -> list[Route]:
        return [route for route in self.routes if route.credential == "token"]

    @property
    def guarded_by_key(self) -> list[Route]:
        return [route for route in self.routes if route.credential == "key"]

    @property
    def guarded_by_service(self) -> list[Route]:
        return [route for route in self.routes if route.credential == "service"]

    @property
    def has_logins(self) -> bool:
        return any(route.path.endswith("/login") for route in self.routes)

    @property
    def with_body(self) -> list[Route]:
        return [route for route in self.routes if route.body]


def _contract(response: TestResponse) -> None:
    body = response.get_json()
    error(
        response,
        response.status_code,
        body["error"]["code"],
        body["error"].get("details", {}).get("reason"),
    )


def _ragchats(response: TestResponse) -> None:
    body = response.get_json()
    assert set(body) == {"error", "message", "details"}, response.text
    assert isinstance(body["error"], str)
    assert isinstance(body["message"], str)
    assert isinstance(body["details"], dict)
    _common(response)


def _rst(response: TestResponse) -> None:
    body = response.get_json()
    assert set(body) == {"detail"}, response.text
    if response.status_code == 422:
        assert body["detail"]
        for fault in body["detail"]:
            assert set(fault) == {"type", "loc", "msg"}
            assert fault["loc"][0] in ("body", "path", "query")
    else:
        assert isinstance(body["detail"], str)
    _common(response)


def _unkey(response: TestResponse) -> None:
    body = response.get_json()
    status = response.status_code
    assert set(body) == {"meta", "error"}, response.text
    assert body["meta"] == {"requestId": response.headers["X-Request-Id"]}
    problem = body["error"]
    assert set(problem) - {"errors"} == {"detail", "status", "title", "type"}
    assert ("errors" in problem) == (status == 400)
    assert problem["status"] == status
    assert all(isinstance(problem[name], str) for name in ("detail", "title", "type"))
    for fault in problem.get("errors", ()):
        assert set(fault) == {"location", "message"}
        assert re.match(r"(body|query)\b", fault["location"])
    _common(response, "application/problem+json" if status == 429 else "application/json")


def _common(response: TestResponse, content_type: str = "application/json") -> None:
    assert response.content_type == content_type
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Request-Id"]
    if response.status_code == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


_CONTRACT = "/api"
_CHATS = "/compat/ragchats/api"
_RST = "/compat/rst/v1"
_UNKEY = "/compat/unkey/v2"

FACES = (
    FaceCase(
        "useragex",
        (
            Route(
                "POST",
                f"{_CONTRACT}/auth/signup",
                None,
                {"email": "ada@example.com", "password": PASSWORD, "name": "Ada"},
            ),
            Route(
                "POST",
                f"{_CONTRACT}/auth/login",
                None,
                {"email": "ada@example.com", "password": PASSWORD},
            ),
            Route("GET", f"{_CONTRACT}/auth/me", "token"),
            Route("POST", f"{_CONTRACT}/auth/api-key/regenerate", "token"),
            Route("GET", f"{_CONTRACT}/v1/me", "key"),
        ),
        _contract,
        400,
        _CONTRACT,
    ),
    FaceCase(
        "ragchats",
        (
            Route(
                "POST",
                f"{_CHATS}/auth/login",
                None,
                {"email": "ada@example.com", "password": PASSWORD},
            ),
            Route("POST", f"{_CHATS}/auth/token/refresh", None, {"refresh": "a.b.c"}),
            Route("GET", f"{_CHATS}/agents", "token"),
            Route("POST", f"{_CHATS}/agents", "token", {"name": "Bot", "description": "x"}),
            Route("GET", f"{_CHATS}/agents/{UUID}/api-keys", "token"),
            Route("POST", f"{_CHATS}/agents/{UUID}/api-keys", "token", {"name": "x"}),
            Route(
                "POST", f"{_CHATS}/agents/{UUID}/query", "key", {"message": "Hello"}, is_open=True
            ),
        ),
        _ragchats,
        400,
        _CHATS,
    ),
    FaceCase(
        "rst",
        (
            Route(
                "POST",
                f"{_RST}/auth/register",
                None,
                {
                    "username": "ada1815",
                    "email": "ada@example.com",
                    "password": PASSWORD,
                    "full_name": "Ada Lovelace",
                },
            ),
            Route(
                "POST", f"{_RST}/auth/login", None, {"username": "ada1815", "password": PASSWORD}
            ),
            Route("GET", f"{_RST}/auth/api-keys", "token"),
            Route("POST", f"{_RST}/auth/api-keys", "token", {"name": "x"}),
            Route("DELETE", f"{_RST}/auth/api-keys/{UUID}", "token"),
            Route("GET", f"{_RST}/me", "key"),
            Route("PUT", f"{_RST}/me/anything/below", "key"),
        ),
        _rst,
        422,
        _RST,
    ),
    FaceCase(
        "unkey",
        (
            Route("POST", f"{_UNKEY}/apis.createApi", "service", {"name": "payments"}),
            Route(
                "POST",
                f"{_UNKEY}/keys.createKey",
                "service",
                {"apiId": f"api_{TYPE_ID}", "name": "x", "externalId": "user-1", "prefix": "x"},
            ),
            Route("POST", f"{_UNKEY}/keys.getKey", "service", {"keyId": f"key_{TYPE_ID}"}),
            Route(
                "POST",
                f"{_UNKEY}/keys.updateCredits",
                "service",
                {"keyId": f"key_{TYPE_ID}", "operation": "set"},
            ),
            Route("POST", f"{_UNKEY}/keys.verifyKey", "service"),
            Route("POST", f"{_UNKEY}/keys.migrateKeys", "service"),
            Route("POST", f"{_UNKEY}/keys.addRoles", "service"),
            Route(
                "POST", f"{_UNKEY}/identities.createIdentity", "service", {"externalId": "user-1"}
            ),
            Route("POST", f"{_UNKEY}/ratelimit.limit", "service"),
        ),
        _unkey,
        400,
        _UNKEY,
    ),
)
