"""Every route, with a path and a body that fit; for what holds for all of them."""

from dataclasses import dataclass, field
from typing import Any

PASSWORD = "correct horse battery staple"
ACCOUNT = "acc_01h455vb4pex5vsknk084sn02q"
SESSION = "ses_01h455vb4pex5vsknk084sn02q"
KEY = "key_01h455vb4pex5vsknk084sn02q"
AGENT = "agt_01h455vb4pex5vsknk084sn02q"
ABSENT = object()


@dataclass(frozen=True, slots=True)
class Route:
    """`credential` is what it asks for: a token, a key, a service's key, or nothing."""

    method: str
    path: str
    credential: str | None
    body: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


_NEW_KEY = {
    "name": "x",
    "kind": "secret",
    "environment": "live",
    "scopes": ["query"],
    "expires_at": "2999-01-01T00:00:00Z",
    "allowed_ips": ["10.0.0.0/8"],
}
_KEY_CHANGES = {
    "name": "x",
    "is_active": True,
    "scopes": ["query"],
    "expires_at": "2999-01-01T00:00:00Z",
    "allowed_ips": ["10.0.0.0/8"],
    "allowed_origins": ["https://a.example.com"],
}
_PASSWORD_AND_CODE = {"password": PASSWORD, "code": "123456"}
_AUTH = "/api/auth"
_INTERNAL = "/api/v1/internal"

ROUTES = [
    Route(
        "POST",
        f"{_AUTH}/signup",
        None,
        {"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "username": "ada1815"},
    ),
    Route("POST", f"{_AUTH}/login", None, {"email": "ada@example.com", "password": PASSWORD}),
    Route("POST", f"{_AUTH}/login", None, {"username": "ada1815", "password": PASSWORD}),
    Route("POST", f"{_AUTH}/login/mfa", None, {"mfa_token": "x", "code": "123456"}),
    Route("GET", f"{_AUTH}/second-factor", "token"),
    Route("POST", f"{_AUTH}/second-factor", "token", {"password": PASSWORD}),
    Route("POST", f"{_AUTH}/second-factor/confirm", "token", {"code": "123456"}),
    Route("POST", f"{_AUTH}/second-factor/recovery-codes", "token", _PASSWORD_AND_CODE),
    Route("POST", f"{_AUTH}/second-factor/delete", "token", _PASSWORD_AND_CODE),
    Route("POST", f"{_AUTH}/token/refresh", None, {"refresh_token": "a.b.c"}),
    Route("POST", f"{_AUTH}/logout", "token"),
    Route("GET", f"{_AUTH}/sessions", "token"),
    Route("DELETE", f"{_AUTH}/sessions/{SESSION}", "token"),
    Route("DELETE", f"{_AUTH}/sessions", "token"),
    Route("GET", f"{_AUTH}/me", "token"),
    Route("PATCH", f"{_AUTH}/me", "token", {"name": "Ada", "username": "ada1815"}),
    Route("POST", f"{_AUTH}/me/delete", "token", {"password": PASSWORD}),
    Route(
        "POST",
        f"{_AUTH}/password/change",
        "token",
        {"current_password": PASSWORD, "new_password": PASSWORD},
    ),
    Route("POST", f"{_AUTH}/password/forgot", None, {"email": "ada@example.com"}),
    Route(
        "POST",
        f"{_AUTH}/password/reset",
        None,
        {"token": "x", "new_password": "another horse"},
    ),
    Route("POST", f"{_AUTH}/email/verify", None, {"token": "x"}),
    Route("POST", f"{_AUTH}/email/resend", "token"),
    Route(
        "POST",
        f"{_AUTH}/email/change",
        "token",
        {"new_email": "ada@new.example.com", "password": PASSWORD},
    ),
    Route("GET", f"{_AUTH}/events", "token"),
    Route("GET", f"{_AUTH}/export", "token"),
    Route("GET", f"{_AUTH}/limits", "token"),
    Route("GET", f"{_AUTH}/scopes", "token"),
    Route("POST", f"{_AUTH}/api-key/regenerate", "token"),
    Route("GET", f"{_AUTH}/api-keys", "token"),
    Route(
        "POST",
        f"{_AUTH}/api-keys",
        "token",
        {**_NEW_KEY, "agent_id": AGENT, "allowed_origins": ["https://a.example.com"]},
    ),
    Route("GET", f"{_AUTH}/api-keys/{KEY}", "token"),
    Route("PATCH", f"{_AUTH}/api-keys/{KEY}", "token", _KEY_CHANGES),
    Route("POST", f"{_AUTH}/api-keys/{KEY}/rotate", "token", {"grace_seconds": 60}),
    Route("DELETE", f"{_AUTH}/api-keys/{KEY}", "token"),
    Route("POST", "/api/agents", "token", {"name": "Bot", "description": "Answers"}),
    Route("GET", "/api/agents", "token"),
    Route("GET", f"/api/agents/{AGENT}", "token"),
    Route("PATCH", f"/api/agents/{AGENT}", "token", {"name": "Bot", "description": "Answers"}),
    Route("DELETE", f"/api/agents/{AGENT}", "token"),
    Route("GET", f"/api/agents/{AGENT}/api-keys", "token"),
    Route("POST", f"/api/agents/{AGENT}/api-keys", "token", _NEW_KEY),
    Route("GET", "/api/v1/me", "key"),
    Route("GET", "/api/v1/authorize", "key"),
    Route(
        "POST",
        "/api/v1/keys/verify",
        "service",
        {
            "key": "x",
            "scope": "query",
            "agent_id": AGENT,
            "cost": 1,
            "client_ip": "10.0.0.1",
            "origin": "https://a.example.com",
        },
    ),
    Route("POST", "/api/v1/keys/revoke", None, {"key": "x"}),
    Route("GET", f"{_INTERNAL}/accounts", "service"),
    Route(
        "POST",
        f"{_INTERNAL}/accounts",
        "service",
        {
            "external_id": "c-17",
            "email": "ada@example.com",
            "name": "Ada",
            "plan": "pro",
            "metadata": {"crm": 42},
            "limits": [{"meter": "requests", "window": "minute", "size": 5}],
        },
    ),
    Route("GET", f"{_INTERNAL}/accounts/{ACCOUNT}", "service"),
    Route(
        "PATCH",
        f"{_INTERNAL}/accounts/{ACCOUNT}",
        "service",
        {"plan": "pro", "status": "active", "external_id": "c-17", "metadata": {"crm": 42}},
    ),
    Route("DELETE", f"{_INTERNAL}/accounts/{ACCOUNT}", "service"),
    Route("GET", f"{_INTERNAL}/accounts/{ACCOUNT}/limits", "service"),
    Route("GET", f"{_INTERNAL}/accounts/{ACCOUNT}/events", "service"),
    Route("GET", f"{_INTERNAL}/accounts/{ACCOUNT}/sessions", "service"),
    Route("DELETE", f"{_INTERNAL}/accounts/{ACCOUNT}/sessions", "service"),
    Route("DELETE", f"{_INTERNAL}/accounts/{ACCOUNT}/sessions/{SESSION}", "service"),
    Route("GET", f"{_INTERNAL}/accounts/{ACCOUNT}/api-keys", "service"),
    Route(
        "POST",
        f"{_INTERNAL}/accounts/{ACCOUNT}/api-keys",
        "service",
        {**_NEW_KEY, "agent_id": AGENT, "allowed_origins": ["https://a.example.com"]},
    ),
    Route("GET", f"{_INTERNAL}/api-keys", "service"),
    Route("GET", f"{_INTERNAL}/api-keys/{KEY}", "service"),
    Route("PATCH", f"{_INTERNAL}/api-keys/{KEY}", "service", _KEY_CHANGES),
    Route("POST", f"{_INTERNAL}/api-keys/{KEY}/rotate", "service", {"grace_seconds": 60}),
    Route("DELETE", f"{_INTERNAL}/api-keys/{KEY}", "service"),
    Route("GET", f"{_INTERNAL}/policy", "service"),
    Route("GET", f"{_INTERNAL}/usage", "service"),
    Route("GET", f"{_INTERNAL}/usage/top", "service"),
    Route("GET", "/.well-known/jwks.json", None),
    Route("GET", "/healthz", None),
    Route("GET", "/readyz", None),
]
BODY_ROUTES = [route for route in ROUTES if route.body]
GUARDED_ROUTES = [route for route in ROUTES if route.credential]
