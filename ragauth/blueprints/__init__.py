"""The faces of the service: HTTP in, HTTP out; no query and no rule lives here."""

from flask import Blueprint, Flask

from ragauth.blueprints.agents import agents
from ragauth.blueprints.auth import auth
from ragauth.blueprints.compat import register_faces
from ragauth.blueprints.internal import internal
from ragauth.blueprints.keys import check, manage
from ragauth.blueprints.ops import ops
from ragauth.blueprints.reference import reference
from ragauth.blueprints.wellknown import wellknown
from ragauth.config import Settings

BLUEPRINTS: tuple[tuple[Blueprint, str], ...] = (
    (auth, "/api/auth"),
    (manage, "/api/auth"),
    (agents, "/api/agents"),
    (check, "/api/v1"),
    (internal, "/api/v1/internal"),
    (wellknown, "/"),
    (ops, "/"),
    (reference, "/"),
)


def register_blueprints(app: Flask) -> None:
    for blueprint, prefix in BLUEPRINTS:
        app.register_blueprint(blueprint, url_prefix=prefix)
    settings: Settings = app.extensions["ragauth"]
    register_faces(app, settings.compat)
