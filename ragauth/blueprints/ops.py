"""Is it alive, can it serve."""

from typing import Any

from flask import Blueprint

from ragauth.schemas.ops import HealthSchema
from ragauth.services import readiness
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import public

ops = Blueprint("ops", __name__)
TAG = "Operation"


@ops.get("/healthz")
@endpoint(guard=public, data=HealthSchema)
def healthz() -> dict[str, Any]:
    """The process answers."""
    return {"status": "ok"}


@ops.get("/readyz")
@endpoint(guard=public, data=HealthSchema)
def readyz() -> dict[str, Any]:
    """Everything that a request needs can be reached; else 503 says what cannot."""
    return {"status": "ok", "checks": readiness.check_all()}
