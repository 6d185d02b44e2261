"""The Flask extensions, made once and bound to an application by the factory."""

from pathlib import Path

from flask import current_app
from flask_jwt_extended import JWTManager
from flask_sqlalchemy import SQLAlchemy

from ragauth.config import Settings
from ragauth.database import Base

MIGRATIONS = Path(__file__).parent / "migrations"

# Rows stay readable after the commit: the answer is dumped once the commit has succeeded.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
jwt = JWTManager()


def settings() -> Settings:
    """The settings of the running application."""
    current: Settings = current_app.extensions["ragauth"]
    return current
