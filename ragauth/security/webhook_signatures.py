"""Secrets and signatures of webhooks (Standard Webhooks 1.0)."""

import base64
import hmac
import secrets

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def sign(message_id: str, timestamp: int, body: bytes, *, with_secrets: list[str]) -> str:
    """The value of `webhook-signature`: `v1,` and an HMAC-SHA256 in base64, one for each secret.

    `timestamp` is that of the attempt, in Unix seconds.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_digest(secret, content)}" for secret in with_secrets)


def _digest(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
