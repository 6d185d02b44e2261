"""The check of a key, as Unkey's clients ask for it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.key_schemas import ratelimit_id
from ragauth.blueprints.compat.unkey.shown_keys import describe
from ragauth.blueprints.compat.unkey.verify_schemas import UnkeyQuestion, UnkeyVerdict
from ragauth.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    CredentialExpired,
    CredentialRevoked,
    InsufficientScope,
    InvalidRequest,
    RagauthError,
    RateLimitExceeded,
    ScopeQueryNotMet,
    UsageLimitExceeded,
)
from ragauth.models.owned_keys import OwnedKey
from ragauth.models.reads.keys import KeyFacts
from ragauth.policy import read_window
from ragauth.policy.limits import ALWAYS
from ragauth.security.scopes import VERIFY
from ragauth.services.keys import allowances, owned_keys
from ragauth.services.keys.check import KeyVerdict, Question, current_checker
from ragauth.services.limits.applied import OF_KEY
from ragauth.services.limits.takings import Amounts
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

VALID = "VALID"
NOT_FOUND = "NOT_FOUND"
DISABLED = "DISABLED"
INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
RATE_LIMITED = "RATE_LIMITED"
USAGE_EXCEEDED = "USAGE_EXCEEDED"
# The class of a refusal, or the nearest class above it, decides the code.
CODES: Mapping[type[RagauthError], str] = {
    AuthenticationFailed: NOT_FOUND,
    CredentialExpired: "EXPIRED",
    AuthorizationFailed: "FORBIDDEN",
    InsufficientScope: INSUFFICIENT_PERMISSIONS,
    ScopeQueryNotMet: INSUFFICIENT_PERMISSIONS,
    RateLimitExceeded: RATE_LIMITED,
    UsageLimitExceeded: USAGE_EXCEEDED,
}


@unkey.post("/v2/keys.verifyKey")
@endpoint(guard=service_key(VERIFY), body=UnkeyQuestion, data=UnkeyVerdict)
def verify_key(caller: KeyFacts, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Whether a key that was presented to the calling service may do what is asked.

    An allowed question counts against the key's credits and limits, a refused one does not.
    """
    owned = owned_keys.find_presented(body["key"])
    if owned is not None:
        if body["keyspaces"] is not None and owned.key.keyspace_id not in body["keyspaces"]:
            return {"valid": False, "code": NOT_FOUND}
        if owned.key.revoked_at is None:
            _require_limits(owned, body["ratelimits"])
    question = Question(
        cost=body["credits"]["cost"],
        amounts=Amounts(named=body["ratelimits"]) if body["ratelimits"] else None,
        scope_query=body["permissions"],
    )
    verdict = current_checker().check(body["key"], question)
    code = code_of(verdict)
    if owned is None or code == NOT_FOUND:
        return {"valid": False, "code": NOT_FOUND}
    return {
        **describe(owned),
        "valid": code == VALID,
        "code": code,
        "keyspace_id": owned.key.keyspace_id,
        "credits": _credits_left(verdict),
        "ratelimits": [*_met_limits(verdict, owned, dict(body["ratelimits"]))] or None,
    }


def code_of(verdict: KeyVerdict) -> str:
    """Unkey's code for a verdict."""
    refusal, key = verdict.refusal, verdict.key
    if refusal is None:
        return VALID
    if isinstance(refusal, CredentialRevoked) and key is not None and not key.is_revoked:
        return DISABLED
    if isinstance(refusal, UsageLimitExceeded) and _is_of_a_rate(refusal):
        return RATE_LIMITED
    return next(CODES[each] for each in type(refusal).__mro__ if each in CODES)


def _credits_left(verdict: KeyVerdict) -> int | None:
    allowance = verdict.limits and allowances.allowance_in(verdict.limits)
    return allowance.remaining if allowance else None


def _is_of_a_rate(refusal: UsageLimitExceeded) -> bool:
    """Whether it is by a limit with a length: the contract calls one of over an hour a quota."""
    window = refusal.details.get("window")
    return window is not None and read_window(window).length_ms is not None


def _require_limits(owned: OwnedKey, asked: Iterable[tuple[str, int | None]]) -> None:
    """Raise InvalidRequest for a limit that the key does not have: nothing would be counted."""
    known = {limit.get("name") for limit in owned.key.limits or ()}
    faults = [
        {"path": ["ratelimits", position, "name"], "message": "The key has no limit of this name"}
        for position, (name, _) in enumerate(asked)
        if name not in known
    ]
    if faults:
        raise InvalidRequest(faults)


def _met_limits(
    verdict: KeyVerdict, owned: OwnedKey, costs: Mapping[str, int | None]
) -> Iterator[dict[str, Any]]:
    """The key's rate limits that the question met, with what is left of them afterwards."""
    state = verdict.limits
    if state is None:
        return
    for one, count in zip(state.told, state.counts, strict=True):
        limit = one.limit
        if one.of != OF_KEY or limit.name is None or limit.window.length_ms is None:
            continue
        cost = costs.get(limit.name)
        taken = 1 if cost is None else cost
        yield {
            "id": ratelimit_id(owned.key.id, limit.name),
            "name": limit.name,
            "limit": limit.size,
            "duration": limit.window.length_ms,
            "auto_apply": limit.applies == ALWAYS,
            "exceeded": verdict.refusal is not None and count.used + taken > limit.size,
            "remaining": max(0, limit.size - count.used),
            "reset": max(0, count.resets_at_ms - state.now_ms),
        }
