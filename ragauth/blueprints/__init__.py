"""The faces of the service: HTTP in, HTTP out; no query and no rule lives here.

A route is a declaration (`web.endpoint`), which says all that the OpenAPI document knows of it, and
a view, which calls one service and catches nothing. The factory calls `register_blueprints`.
"""

from collections.abc import Mapping

from flask import Blueprint, Flask

from ragauth.blueprints.agents import agents
from ragauth.blueprints.auth import auth
from ragauth.blueprints.compat import register_faces
from ragauth.blueprints.compat.face import Face
from ragauth.blueprints.internal import internal
from ragauth.blueprints.keys import check, manage
from ragauth.blueprints.ops import ops
from ragauth.blueprints.reference import reference
from ragauth.blueprints.webhooks import webhooks
from ragauth.blueprints.wellknown import wellknown

BLUEPRINTS: tuple[tuple[Blueprint, str], ...] = (
    (auth, "/api/auth"),
    (manage, "/api/auth"),
    (agents, "/api/agents"),
    (check, "/api/v1"),
    (internal, "/api/v1/internal"),
    (webhooks, "/api/v1/internal/webhooks"),
    (wellknown, "/"),
    (ops, "/"),
    (reference, "/"),
)


def register_blueprints(app: Flask, faces: Mapping[str, Face]) -> None:
    """Mount the house's own blueprints and, each at its prefix, the faces that are wanted."""
    for blueprint, prefix in BLUEPRINTS:
        app.register_blueprint(blueprint, url_prefix=prefix)
    register_faces(app, faces)
