"""Who is asking: as a trusted gateway says, or as ragauth answers."""

from dataclasses import asdict, dataclass, field
from typing import Any

from flask import Request
from service_api import CallFailed, Ragauth

MAX_KEY_LENGTH = 200
_HEADERS = (
    *("Account-Id", "Key-Id", "Plan", "Agent-Id", "Scopes", "Environment", "Features"),
    "Reservation",
)


@dataclass(frozen=True)
class Identity:
    """The account and the key behind a request. `agent_id` is None for a whole account's key."""

    account_id: str
    key_id: str
    plan: str
    agent_id: str | None
    scopes: list[str]
    environment: str
    # What the account's plan has beside its limits; this service decides what follows from it.
    features: list[str]
    # What is settled when the work is done, where the question reserved something.
    reservation_id: str | None

    def as_dict(self) -> dict[str, Any]:
        return {"caller": asdict(self)}


@dataclass(eq=False)
class Refused(Exception):
    """The answer that the client gets instead of the service's own."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


def envelope(code: str, message: str, **details: str) -> dict[str, Any]:
    """A refusal of the service's own, in the form that ragauth's have."""
    return {
        "error": {"code": code, "message": message, **({"details": details} if details else {})}
    }


def _unavailable() -> Refused:
    """Nobody can say who asks, so nobody is let in."""
    message = "The request cannot be authorised at the moment"
    return Refused(503, envelope("EXTERNAL_SERVICE_ERROR", message), {"Retry-After": "2"})


def from_gateway(request: Request, *, scope: str, agent_id: str | None) -> Identity:
    """The identity that the gateway vouches for; only the gateway may reach this service.

    All headers must be there, the empty ones too: a client that gets one of them dropped on
    the way (by naming it in `Connection`) must not look like a key without that restriction.
    """
    values = [request.headers.get(f"X-Ragauth-{name}") for name in _HEADERS]
    if None in values or not values[0] or not values[1]:
        raise _unavailable()
    account_id, key_id, plan, bound_to, scopes, environment, features, reservation_id = (
        value or "" for value in values
    )
    who = Identity(
        account_id,
        key_id,
        plan,
        bound_to or None,
        scopes.split(),
        environment,
        features.split(),
        reservation_id or None,
    )
    # The gateway has asked for both. A rule that was forgotten there stops here.
    if scope not in who.scopes or (who.agent_id and agent_id and who.agent_id != agent_id):
        raise Refused(403, envelope("AUTHORIZATION_ERROR", "The key may not do this"))
    return who


def from_ragauth(ragauth: Ragauth, request: Request, **asked: Any) -> Identity:
    """The identity behind the key that the client sent, by `POST /api/v1/keys/verify`.

    `asked` is what else the question says: scope, agent_id, reserve. Raises Refused.
    """
    question = {
        "key": _presented_key(request),
        "client_ip": request.remote_addr,
        "origin": request.headers.get("Origin"),
        **asked,
    }
    try:
        verdict = ragauth.post("/keys/verify", question)
    except CallFailed as failure:
        raise _not_asked(failure) from failure
    if not verdict["valid"]:
        # Status, body and headers (Retry-After, WWW-Authenticate) are meant for our own client.
        raise Refused(verdict["status"], verdict["body"], verdict["headers"])
    return Identity(**{name: verdict[name] for name in Identity.__dataclass_fields__})


def _not_asked(failure: CallFailed) -> Refused:
    """The answer where ragauth did not take the question."""
    issues = failure.error.get("details", {}).get("issues", [])
    if any(issue["path"][:1] == ["reserve"] for issue in issues):
        message = "This ragauth does not meter tokens: start it with examples/policy.toml"
        return Refused(503, envelope("EXTERNAL_SERVICE_ERROR", message))
    # 400: the id in the client's path is none; anything else is not the client's fault.
    if failure.status == 400:
        return Refused(404, envelope("NOT_FOUND", "There is no such agent"))
    return _unavailable()


def _presented_key(request: Request) -> str:
    """The one key of a request; an empty header, and `Bearer` alone, are none."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    token = token.strip()
    key = request.headers.get("X-API-Key") or token
    fault, reason = "", "malformed"
    if scheme.lower() not in ("", "bearer"):
        fault = "The Authorization header must be: Bearer <credential>"
    elif not key:
        fault, reason = "A credential is required", "missing"
    elif token not in ("", key):
        fault = "Authorization and X-API-Key carry different credentials"
    elif len(key) > MAX_KEY_LENGTH:
        # ragauth would say so as well; but its own bound is on the whole question.
        fault = "The API key is malformed"
    if fault:
        challenge = {"WWW-Authenticate": 'Bearer realm="ragauth"'}
        raise Refused(401, envelope("AUTHENTICATION_ERROR", fault, reason=reason), challenge)
    return key
