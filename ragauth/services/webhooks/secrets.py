"""An endpoint's secrets, which are sealed in its row; after a rotation both sign for a day."""

import uuid
from datetime import datetime, timedelta

from ragauth.extensions import settings
from ragauth.models import Webhook
from ragauth.security.sealing import seal, unseal
from ragauth.security.webhook_signatures import new_secret

#: How long the old secret signs too.
OVERLAP = timedelta(hours=24)
SEAL_PURPOSE = "ragauth webhook"


def make_secret(webhook_id: uuid.UUID) -> tuple[str, bytes]:
    """A new secret, and its sealed form."""
    secret = new_secret()
    return secret, seal_secret(webhook_id, secret)


def seal_secret(webhook_id: uuid.UUID, secret: str) -> bytes:
    return seal(
        secret.encode(),
        secret_key=settings().secret_key,
        purpose=SEAL_PURPOSE,
        context=webhook_id.bytes,
    )


def open_secret(webhook_id: uuid.UUID, sealed: bytes) -> str:
    """Raises SealBroken if the secret key that sealed it is not configured."""
    return unseal(
        sealed,
        secret_keys=[settings().secret_key, *settings().old_secret_keys],
        purpose=SEAL_PURPOSE,
        context=webhook_id.bytes,
    ).decode()


def signing_secrets(webhook: Webhook, now: datetime) -> list[str]:
    """The secrets that sign now, the present one first. Raises SealBroken."""
    sealed, until = [webhook.secret], webhook.old_secret_until
    # A clock that was ahead may not keep an old secret for longer.
    if webhook.old_secret is not None and until is not None and now < until <= now + OVERLAP:
        sealed.append(webhook.old_secret)
    return [open_secret(webhook.id, each) for each in sealed]
