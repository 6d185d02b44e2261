"""The types of messages, and what the `data` of each may hold.

A message has the account's id and these details of the event, and nothing else: no secret, no
address of mail or network, and nothing that somebody typed.
"""

from enum import StrEnum
from typing import Any, NamedTuple


class MessageType(StrEnum):
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_DELETED = "account.deleted"
    ACCOUNT_SUSPENDED = "account.suspended"
    ACCOUNT_RESUMED = "account.resumed"
    PLAN_CHANGED = "account.plan_changed"
    KEY_CREATED = "api_key.created"
    KEY_REVOKED = "api_key.revoked"
    KEY_ROTATED = "api_key.rotated"
    KEY_EXPIRED = "api_key.expired"
    KEY_LEAKED = "api_key.leaked"
    LIMIT_WARNED = "limit.warned"
    LIMIT_REACHED = "limit.reached"
    SESSION_REUSE_DETECTED = "session.reuse_detected"
    TEST = "webhook.test"


#: What an endpoint may choose; a test is sent to it whatever it has chosen.
CHOSEN = tuple(each.value for each in MessageType if each is not MessageType.TEST)

#: The sender has a thread for each of them.
MOST_ENDPOINTS = 20

_ACCOUNT = {"account_id": "acc_01h455vb4pex5vsknk084sn02q"}
_KEY = {**_ACCOUNT, "key_id": "key_01h455vb4pex5vsknk084sn02q", "prefix": "rag_live_a1B2c3"}
_LIMIT = {
    **_ACCOUNT,
    "limit": "tokens_per_month",
    "meter": "tokens",
    "window": "month",
    "size": 1_000_000,
    "percent": 80,
    "environment": "live",
}


class Told(NamedTuple):
    """What a type tells, in one sentence, and an example of its `data`, which has each field."""

    sentence: str
    example: dict[str, Any]


TOLD: dict[MessageType, Told] = {
    MessageType.ACCOUNT_CREATED: Told("An account was made.", _ACCOUNT),
    MessageType.ACCOUNT_DELETED: Told("An account was deleted; its keys are dead.", _ACCOUNT),
    MessageType.ACCOUNT_SUSPENDED: Told(
        "An account was suspended; its keys and tokens are refused.", _ACCOUNT
    ),
    MessageType.ACCOUNT_RESUMED: Told("A suspended account is active again.", _ACCOUNT),
    MessageType.PLAN_CHANGED: Told(
        "An account has another plan.", {**_ACCOUNT, "old_plan": "free", "new_plan": "pro"}
    ),
    MessageType.KEY_CREATED: Told(
        "A key was made; `account_id` is null for a service's own key.", _KEY
    ),
    MessageType.KEY_REVOKED: Told(
        "A key was revoked; unless its owner or an operator did that, `by` tells what did: "
        "`holder`, `rotation`, `agent` (its agent was deleted), `leak`, `keyspace`, `restoration`.",
        {**_KEY, "by": "rotation"},
    ),
    MessageType.KEY_ROTATED: Told(
        "A key was made in the place of another, which works for `grace_seconds` more.",
        {
            **_KEY,
            "replaced_id": "key_01h455vb4pex5vsknk084sn02r",
            "replaced_prefix": "rag_live_z9Y8x7",
            "grace_seconds": 86_400,
        },
    ),
    MessageType.KEY_EXPIRED: Told("A key has expired.", _KEY),
    MessageType.KEY_LEAKED: Told(
        "A key was found where anyone can read it; `revoked` tells whether it was ended for that.",
        {**_KEY, "revoked": False},
    ),
    MessageType.LIMIT_WARNED: Told("A part of a limit was used, `percent` of `size`.", _LIMIT),
    MessageType.LIMIT_REACHED: Told("A limit was used up.", {**_LIMIT, "percent": 100}),
    MessageType.SESSION_REUSE_DETECTED: Told(
        "A spent refresh token was presented, so its session was ended: it may be stolen.",
        {**_ACCOUNT, "session_id": "ses_01h455vb4pex5vsknk084sn02q"},
    ),
    MessageType.TEST: Told(
        "A test that you asked for.",
        {"account_id": None, "webhook_id": "whk_01h455vb4pex5vsknk084sn02q"},
    ),
}
