"""The application factory: settings, runtime, error handlers, blueprints, commands."""

import logging
import sys

from flask import Flask

from ragauth import models  # noqa: F401 - the tables must be known to the metadata
from ragauth.background.threads import StartedByRequest
from ragauth.blueprints import register_blueprints
from ragauth.blueprints.compat import load_faces
from ragauth.cli import register_commands
from ragauth.config import (
    MAX_BODY_BYTES,
    Settings,
    SettingsError,
    is_flask_command,
    is_serving,
    mounted_at,
    read_settings,
)
from ragauth.config.redis_urls import is_unverified
from ragauth.database import engine_options, engine_url
from ragauth.database_faults import DatabaseFault
from ragauth.extensions import MIGRATIONS, db, jwt
from ragauth.runtime import make_runtime
from ragauth.services.operators.readiness import database_fault
from ragauth.services.sessions.tokens import jwt_config
from ragauth.web.around import register_request_log, register_routes
from ragauth.web.check.gate import Gate
from ragauth.web.cors import allow_origins
from ragauth.web.error_handlers import register_error_handlers
from ragauth.web.external_names import ExternalNames
from ragauth.web.forwarded import Forwarded
from ragauth.web.guards import require_key_below_api_v1, require_metrics_reader
from ragauth.web.logs import configure_logging
from ragauth.web.request_class import Request

log = logging.getLogger("ragauth")


def create_app(settings: Settings | None = None) -> Flask:
    """The service as a WSGI application.

    Without `settings` it reads them from the environment; a faulty setting ends the process with
    one line. An application that will serve then checks its database and logs faults. The factory
    leaves no connection open, so the process may fork afterwards. Background work starts later, in
    each process (`ragauth.background.threads`), unless the application is `testing`.
    """
    configure_logging()
    try:
        app = _make_app(settings or read_settings())
        if settings is None and is_serving():
            look_at_database(app)
        return app
    except SettingsError as error:
        sys.exit(f"ragauth: {error}")


def _make_app(settings: Settings) -> Flask:
    if settings.refresh_cookie and not settings.require_https:
        log.warning("over plain HTTP browsers take the refresh cookie on loopback at most")
    if settings.redis_url and is_unverified(settings.redis_url):
        log.warning(
            "ssl_cert_reqs=none: anybody on the way to Redis can read and change what it counts"
        )
    app = Flask(__name__, instance_path=str(settings.instance_dir), static_folder=None)
    app.request_class = Request
    # No function here is a coroutine; Flask would test each function at each request.
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        SQLALCHEMY_DATABASE_URI=engine_url(settings.database_url),
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(
            settings.database_url, pooled=settings.is_pooled, is_patient=not is_serving()
        ),
        **jwt_config(settings.access_token_seconds, settings.refresh_token_seconds),
    )
    # A path with and without a trailing slash has the same answer, never a redirect.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False

    # First: extensions add to the same group.
    register_commands(app)
    db.init_app(app)
    if is_flask_command():
        add_migrations(app)
    jwt.init_app(app)
    faces = load_faces(settings.compat)
    runtime = make_runtime(app, settings, faces)
    app.extensions["ragauth"] = runtime

    register_request_log(app)
    allow_origins(app, settings)
    app.before_request(require_metrics_reader)
    app.before_request(require_key_below_api_v1)
    register_error_handlers(app)
    register_blueprints(app, faces)
    register_routes(app)
    app.wsgi_app = ExternalNames(app.wsgi_app)  # type: ignore[method-assign]
    app.wsgi_app = Forwarded(  # type: ignore[method-assign]
        StartedByRequest(Gate(app), runtime.background),
        trusted_proxies=settings.trusted_proxies,
        mounted_at=mounted_at(),
    )
    if is_serving():
        _tell_what_is_used(settings)
    return app


def _tell_what_is_used(settings: Settings) -> None:
    log.info(
        "starting",
        extra={
            "database": settings.database_place,
            "instance_dir": str(settings.instance_dir),
        },
    )


def look_at_database(app: Flask) -> None:
    """Log what is wrong with the database; stop only for a fault that waiting cannot repair.

    Raises SettingsError for such a fault.
    """
    with app.app_context():
        fault = database_fault()
        db.engine.dispose()
    if fault is DatabaseFault.WRONG_ENCODING:
        raise SettingsError(f"RAGAUTH_DATABASE_URL: {fault.value}")
    # A database that does not answer has been logged by the code that noticed it.
    if fault is not None and fault is not DatabaseFault.FROZEN:
        log.error(fault.sentence)


def add_migrations(app: Flask) -> None:
    """Add the `db …` commands. A server never migrates; Alembic would slow its start by a sixth."""
    from flask_migrate import Migrate  # noqa: PLC0415

    Migrate().init_app(app, db, directory=str(MIGRATIONS), render_as_batch=True)
