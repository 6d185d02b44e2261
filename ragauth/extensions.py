"""The Flask extensions, made once and bound to an application by the factory."""

from pathlib import Path
from typing import Any

from flask import Flask, current_app
from flask_jwt_extended import JWTManager
from flask_sqlalchemy import SQLAlchemy

from ragauth.config import Settings
from ragauth.database import Base
from ragauth.policy import Policy

MIGRATIONS = Path(__file__).parent / "migrations"

# Rows stay readable after the commit, because the answer is built from them afterwards.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
jwt = JWTManager()


def runtime_of(app: Flask) -> Any:
    """The `ragauth.runtime.Runtime` of an application.

    The type is Any because Runtime's module lies above this one and must not be imported here. One
    accessor for each part names its type: `settings`, `current_policy`, `current_limits` …
    """
    return app.extensions["ragauth"]


def current() -> Any:
    """The Runtime of the running application."""
    return runtime_of(current_app)


def settings() -> Settings:
    """The settings of the running application."""
    held: Settings = current().settings
    return held


def current_policy() -> Policy:
    """The scopes, meters and plans of the running application."""
    policy: Policy = current().policy
    return policy
