"""ragauth's client: `Client`, `AsyncClient`, what they answer and what they raise.

For a framework: `ragauth_client.flask`, `.fastapi`, `.asgi`, `.django`.
"""

from ragauth_client.calls import by_external_id
from ragauth_client.client import AsyncClient, Client
from ragauth_client.errors import (
    AuthenticationFailed,
    Conflict,
    InternalError,
    InvalidRequest,
    NotAllowed,
    NotFound,
    RagauthError,
    RateLimitExceeded,
    Refused,
    Unavailable,
    UnexpectedAnswer,
    UsageLimitExceeded,
)
from ragauth_client.fields import Question, UsageEvent
from ragauth_client.gate import Presented
from ragauth_client.models import (
    Account,
    IssuedKey,
    Key,
    Page,
    Report,
    Settlement,
    Verdict,
)
from ragauth_client.reservations import AsyncReservation, Reservation
from ragauth_client.version import VERSION

__all__ = [
    "VERSION",
    "Account",
    "AsyncClient",
    "AsyncReservation",
    "AuthenticationFailed",
    "Client",
    "Conflict",
    "InternalError",
    "InvalidRequest",
    "IssuedKey",
    "Key",
    "NotAllowed",
    "NotFound",
    "Page",
    "Presented",
    "Question",
    "RagauthError",
    "RateLimitExceeded",
    "Refused",
    "Report",
    "Reservation",
    "Settlement",
    "Unavailable",
    "UnexpectedAnswer",
    "UsageEvent",
    "UsageLimitExceeded",
    "Verdict",
    "by_external_id",
]
