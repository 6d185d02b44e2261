"""Descriptions of the answers' headers for the document."""

from typing import Any

ON_EVERY_ANSWER = ("X-Request-Id", "X-Content-Type-Options")
LIMITS = ("RateLimit-Policy", "RateLimit")


def _header(description: str, example: str, **keywords: Any) -> dict[str, Any]:
    return {
        "description": description,
        "schema": {"type": "string", **keywords},
        "example": example,
    }


HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        **_header(
            "Names this answer in the log: the caller's own id, if it sent one, else a new one.",
            "0190163d8694739bb2ea9a2dc9f1f3d8",
            pattern="^[A-Za-z0-9._-]{1,128}$",
        ),
        "required": True,
    },
    "X-Content-Type-Options": {
        **_header("A browser must not guess another type.", "nosniff", const="nosniff"),
        "required": True,
    },
    "RateLimit-Policy": _header(
        "The plan's quotas (`q`) and their windows (`w`, seconds).",
        '"minute";q=60;w=60, "month";q=1000;w=2592000',
    ),
    "RateLimit": _header(
        "What remains (`r`) and in how many seconds it is renewed (`t`).",
        '"minute";r=59;t=30, "month";r=999;t=769596',
    ),
    "WWW-Authenticate": {
        **_header("What is wrong with the credential (RFC 6750).", 'Bearer realm="ragauth"'),
        "required": True,
    },
    "Retry-After": _header("In how many seconds to try again.", "60", pattern="^[0-9]+$"),
    "Allow": _header("The methods that this path has.", "GET, HEAD, OPTIONS"),
}
