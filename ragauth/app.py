"""The application factory: settings, extensions, error handlers, blueprints, commands."""

import logging
import re

from flask import Flask, Response, request
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix

from ragauth import models  # noqa: F401 - the tables must be known to the metadata
from ragauth.blueprints import register_blueprints
from ragauth.cli import register_commands
from ragauth.config import MAX_BODY_BYTES, Settings, is_flask_command, read_settings
from ragauth.database import engine_options
from ragauth.extensions import MIGRATIONS, db, jwt
from ragauth.services.access_tokens import jwt_config
from ragauth.services.setup import init_services
from ragauth.web.error_handlers import register_error_handlers
from ragauth.web.gate import Gate
from ragauth.web.guards import require_key_below_api_v1
from ragauth.web.logs import configure_logging
from ragauth.web.request_log import register_request_log, register_routes

log = logging.getLogger("ragauth")

_DASHBOARD_PATH = re.compile(r"/api/(auth|agents)(/.*)?$")


def create_app(settings: Settings | None = None, *, serves: bool = False) -> Flask:
    """The service as a WSGI application.

    Without settings it reads them from the environment and raises SettingsError for faults. One
    that `serves` saves usage in the background from its first request on.
    """
    settings = settings or read_settings()
    configure_logging()
    for name in settings.without_effect:
        log.warning("a setting has no effect in this version", extra={"setting": name})
    app = Flask(__name__, instance_path=str(settings.instance_dir), static_folder=None)
    app.extensions["ragauth"] = settings
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        **jwt_config(settings.access_token_seconds, settings.refresh_token_seconds),
    )
    # One answer for a path with and without a trailing slash, and never a redirect.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False

    db.init_app(app)
    if not serves or is_flask_command():
        _add_migrations(app)
    jwt.init_app(app)
    init_services(app, settings)
    _allow_origins(app, settings)

    register_request_log(app)
    app.before_request(require_key_below_api_v1)
    register_error_handlers(app)
    register_blueprints(app)
    register_routes(app)
    register_commands(app)
    app.wsgi_app = Gate(app, serves=serves)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    return app


def _add_migrations(app: Flask) -> None:
    """The commands `db …`: a server never migrates, and would start a sixth slower with Alembic."""
    from flask_migrate import Migrate  # noqa: PLC0415

    Migrate().init_app(app, db, directory=str(MIGRATIONS), render_as_batch=True)


def _exactly(origin: str) -> re.Pattern[str]:
    """Flask-CORS reads an origin with a dot as a pattern of its beginning."""
    return re.compile(rf"{re.escape(origin)}\Z", re.IGNORECASE)


def _allow_origins(app: Flask, settings: Settings) -> None:
    """CORS for the dashboard's listed origins; a request from any other gets no permission."""

    @app.after_request
    def vary_by_origin(response: Response) -> Response:
        """Always: a cache must not give one origin the answer of another."""
        if _DASHBOARD_PATH.match(request.path):
            response.vary.add("Origin")
        return response

    origins = [_exactly(origin) for origin in settings.cors_origins]
    if origins:
        CORS(
            app,
            resources={_DASHBOARD_PATH.pattern: {"origins": origins}},
            supports_credentials=True,
            allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
            expose_headers=["X-Request-Id", "Retry-After", "WWW-Authenticate"],
            max_age=600,
            # Without an Origin it would name the first listed one.
            always_send=False,
            vary_header=False,
        )
