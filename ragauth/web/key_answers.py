"""One verdict on a key, in the words of each asker: a gateway, a service."""

from typing import Any

from ragauth.errors import RagauthError
from ragauth.security.identifiers import ACCOUNT, AGENT, KEY, encode_id
from ragauth.services.key_check import KeyFacts, KeyVerdict


def identity_headers(key: KeyFacts) -> dict[str, str]:
    """Who the key belongs to, for the service behind the gateway.

    All of them always, empty where there is none: a gateway overwrites what a client forged
    only with a header that it received.
    """
    return {
        "X-Ragauth-Account-Id": encode_id(ACCOUNT, key.account_id) if key.account_id else "",
        "X-Ragauth-Key-Id": encode_id(KEY, key.id),
        "X-Ragauth-Plan": key.plan or "",
        "X-Ragauth-Agent-Id": encode_id(AGENT, key.agent_id) if key.agent_id else "",
        "X-Ragauth-Scopes": " ".join(key.scopes),
        "X-Ragauth-Environment": key.environment,
    }


def refusal_status(refusal: RagauthError, on_limit: str) -> tuple[int, dict[str, str]]:
    """The status of a refusal, and the headers that say it.

    nginx turns any refusal but 401 and 403 into 500; `on_limit=403` lets it have what it
    understands and tells the status that its client should see.
    """
    if refusal.status == 429 and on_limit == "403":
        return 403, {**refusal.headers, "X-Ragauth-Status": "429"}
    return refusal.status, refusal.headers


def verdict_body(verdict: KeyVerdict) -> dict[str, Any]:
    """The verdict as `verify` tells it; status and headers are for the asker's own client."""
    refusal, key = verdict.refusal, verdict.key
    return {
        "valid": refusal is None,
        "code": "VALID" if refusal is None else refusal.code,
        "status": 200 if refusal is None else refusal.status,
        "headers": {} if refusal is None else refusal.headers,
        "account_id": key and key.account_id,
        "key_id": key and key.id,
        "agent_id": key and key.agent_id,
        "plan": key and key.plan,
        "scopes": key and key.scopes,
        "environment": key and key.environment,
        "expires_at": key and key.expires_at,
    }
