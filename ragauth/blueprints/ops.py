"""Is it alive, can it serve, how does it do."""

from typing import Any

from flask import Blueprint, Response, request

from ragauth.extensions import current
from ragauth.schemas.ops import HealthSchema
from ragauth.services.operators import readiness
from ragauth.web.endpoint import declared, endpoint
from ragauth.web.guards import metrics_reader, public

ops = Blueprint("ops", __name__)
TAG = "Operation"
# Without the spelling that ends in a slash, which every other route has.
_EXACTLY = {"strict_slashes": True}


@ops.get("/healthz", **_EXACTLY)
@endpoint(guard=public, data=HealthSchema, is_quick=True)
def healthz() -> dict[str, Any]:
    """The process answers."""
    return {"status": "ok"}


@ops.get("/readyz", **_EXACTLY)
@endpoint(guard=public, data=HealthSchema)
def readyz() -> dict[str, Any]:
    """Everything that a request needs is there; else 503 says what is not.

    `degraded` is 200: requests are answered, but usage is not saved or mail is not sent.
    """
    return readiness.check_all()._asdict()


@ops.get("/metrics", **_EXACTLY)
@declared(guard=metrics_reader, media_type="text/plain")
def metrics() -> Response:
    """What the service counts about itself, of all workers, for Prometheus.

    It answers 200 whatever is away: that is when its numbers are wanted. Where the operator set
    RAGAUTH_METRICS_TOKEN, it wants that token: `Authorization: Bearer …`.
    """
    # Loaded by the first scrape, not by every start.
    from ragauth.web import metrics_page  # noqa: PLC0415

    accept = request.headers.get("Accept", "")
    page, media_type = metrics_page.render(current().metrics(), accept=accept)
    return Response(page, content_type=media_type, headers={"Cache-Control": "no-store"})
