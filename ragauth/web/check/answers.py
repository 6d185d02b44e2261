"""One verdict on a key, rendered for a gateway or for a service."""

import json
from functools import lru_cache
from typing import Any

from ragauth.clock import format_time
from ragauth.errors import RateLimitExceeded, UsageLimitExceeded
from ragauth.models.reads.keys import KeyFacts
from ragauth.policy import Policy
from ragauth.security.identifiers import ACCOUNT, AGENT, KEY, encode_bytes
from ragauth.services.keys.check import KeyVerdict, counting_scopes, features_of, scopes_of
from ragauth.web.envelope import JSON_TYPE, Answer, Headers, encode_json, error_body, error_header
from ragauth.web.rate_headers import rate_headers

IDENTITY_HEADERS = {
    "X-Ragauth-Account-Id": "Whose key it is.",
    "X-Ragauth-Key-Id": "Which key it is.",
    "X-Ragauth-Plan": "The account's plan.",
    "X-Ragauth-Agent-Id": "The agent that the key is bound to; empty for none.",
    "X-Ragauth-Scopes": "What the key may be used for, separated by spaces.",
    "X-Ragauth-Environment": "`live` or `test`.",
    "X-Ragauth-Features": "The features of the account's plan, separated by spaces.",
}
RESERVATION_HEADER = "X-Ragauth-Reservation"


def authorize_answer(verdict: KeyVerdict, policy: Policy, *, limit_status: int) -> Answer:
    """For a gateway: 200 with the key's owner, or the refusal as the gateway's client may see it.

    nginx turns any refusal but 401 and 403 into 500. With a `limit_status` of 403, refusals by a
    limit have a status that nginx understands, and `X-Ragauth-Status` has the status for its
    client.
    """
    refusal, key = verdict.refusal, verdict.key
    account_id = _encode(ACCOUNT, key and key.account_id)
    if refusal is None:
        headers = [*identity_headers(verdict.allowed_key(), policy)]
        state = verdict.limits
        # Always present, as the headers before it are.
        headers.append((RESERVATION_HEADER, (state and state.reservation_id) or ""))
        if state is not None:
            headers += rate_headers(state)
        return Answer(200, headers, b"", account_id)
    body = encode_json(error_body(refusal))
    headers = [("Content-Type", JSON_TYPE), *client_headers(verdict), error_header(body)]
    status = refusal.status
    if limit_status != status and isinstance(refusal, RateLimitExceeded | UsageLimitExceeded):
        headers.append(("X-Ragauth-Status", str(status)))
        status = limit_status
    return Answer(status, headers, body, account_id)


def client_headers(verdict: KeyVerdict) -> Headers:
    """The headers for the key's holder: WWW-Authenticate, Retry-After, RateLimit."""
    headers = [] if verdict.refusal is None else list(verdict.refusal.headers.items())
    return headers if verdict.limits is None else headers + rate_headers(verdict.limits)


def verify_answer(verdict: KeyVerdict, policy: Policy) -> Answer:
    """For a service: always 200, and the verdict in the envelope."""
    body = encode_json({"data": verify_body(verdict, policy)})
    return Answer(200, [("Content-Type", JSON_TYPE)], body)


def verify_body(verdict: KeyVerdict, policy: Policy) -> dict[str, Any]:
    """The verdict for a service, with the status, headers and body to relay to its own client."""
    refusal, key = verdict.refusal, verdict.key
    return {
        "valid": refusal is None,
        "code": "VALID" if refusal is None else refusal.code,
        "reason": None if refusal is None else refusal.details.get("reason"),
        "message": None if refusal is None else refusal.message,
        "details": None if refusal is None else refusal.details or None,
        "status": 200 if refusal is None else refusal.status,
        "headers": dict(client_headers(verdict)),
        "body": None if refusal is None else error_body(refusal),
        "account_id": _encode(ACCOUNT, key and key.account_id),
        "key_id": _encode(KEY, key and key.id),
        "agent_id": _encode(AGENT, key and key.agent_id),
        "plan": key and key.plan,
        "features": key and features_of(key.plan, policy),
        "scopes": key and scopes_of(key, policy),
        "environment": key and key.environment,
        "expires_at": format_time(key.expires_at) if key and key.expires_at else None,
        "metadata": json.loads(key.own_data) if key and key.own_data else None,
        "reservation_id": verdict.limits and verdict.limits.reservation_id,
    }


def identity_headers(key: KeyFacts, policy: Policy) -> tuple[tuple[str, str], ...]:
    """The headers with the key's owner, for the service behind the gateway.

    All of them are always present, and empty if there is no value: a gateway overwrites a header
    that a client forged only with a header that it received.
    """
    account_id, agent_id = key.account_id, key.agent_id
    scopes, features = _words(policy, key.plan, key.scopes, key.kind, key.is_managed)
    values = (
        "" if account_id is None else encode_bytes(ACCOUNT, account_id),
        encode_bytes(KEY, key.id),
        key.plan or "",
        "" if agent_id is None else encode_bytes(AGENT, agent_id),
        scopes,
        key.environment,
        features,
    )
    return tuple(zip(IDENTITY_HEADERS, values, strict=True))


@lru_cache(maxsize=1024)
def _words(
    policy: Policy, plan: str | None, scopes: str | None, kind: str, is_managed: bool
) -> tuple[str, str]:
    """Scopes and features as they stand in headers."""
    counting = counting_scopes(policy, scopes, kind, is_managed)
    return " ".join(counting), " ".join(features_of(plan, policy))


def _encode(kind: str, identifier: bytes | None) -> str | None:
    return None if identifier is None else encode_bytes(kind, identifier)
