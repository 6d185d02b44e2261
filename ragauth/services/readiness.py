"""Can this process serve: is the database there, and at the schema that the code was made for."""

import logging
from functools import cache

from sqlalchemy.exc import SQLAlchemyError

from ragauth.counters import CountersUnavailable
from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import MIGRATIONS, db, settings
from ragauth.services.limits import current_limits

log = logging.getLogger("ragauth")

OK = "ok"
UNREACHABLE = "out of reach"
NOT_MIGRATED = "not migrated: run `flask --app wsgi db upgrade`"


def check_all() -> dict[str, str]:
    """Each thing that is needed, by name, with its state.

    Raises ExternalServiceUnavailable, with the same in its details, when one is not ok.
    """
    checks = {"database": _database(), _counters_name(): _counters()}
    if any(state != OK for state in checks.values()):
        raise ExternalServiceUnavailable("Not ready", details={"checks": checks})
    return checks


def _database() -> str:
    # Loaded by the first probe, not by every start.
    from alembic.migration import MigrationContext  # noqa: PLC0415

    try:
        connection = db.session.connection()
        revision = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        log.warning("not ready", extra={"cause": type(error).__name__})
        return UNREACHABLE
    return OK if revision == _head() else NOT_MIGRATED


def _counters_name() -> str:
    return "redis" if settings().redis_url else "counters"


def _counters() -> str:
    try:
        current_limits().counters.ping()
    except CountersUnavailable as error:
        log.warning("not ready", extra={"cause": str(error)})
        return UNREACHABLE
    return OK


@cache
def _head() -> str | None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory(str(MIGRATIONS)).get_current_head()
