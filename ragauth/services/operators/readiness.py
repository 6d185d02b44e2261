"""Whether this process can serve requests, and whether the background work succeeds."""

import logging
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from ragauth import transaction
from ragauth.counters import CountersUnavailable
from ragauth.database_faults import DatabaseFault, fault_of
from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import settings
from ragauth.metrics import WORKS
from ragauth.models.database_probe import find_fault
from ragauth.services.keys.check import current_checker
from ragauth.services.limits.limits import current_limits
from ragauth.services.troubles import failing_works

log = logging.getLogger("ragauth")

OK = "ok"
DEGRADED = "degraded"


class Readiness(NamedTuple):
    """`ok`, or `degraded` if only background work fails; and each check's state."""

    status: str
    checks: dict[str, str]


def check_all() -> Readiness:
    """Check everything that is needed; returns each state by name.

    Raises ExternalServiceUnavailable, with the same states in its details, if requests cannot be
    answered.
    """
    fault = database_fault() or _fault_of_checks()
    needed = {"database": fault.value if fault else OK, _counters_name(): counters_state()}
    failing = failing_works()
    # Background work: no client is refused when it fails, so the host stays in service.
    checks = needed | {work: failing.get(work, OK) for work in WORKS}
    if any(state != OK for state in needed.values()):
        log.warning("not ready", extra={"checks": checks})
        raise ExternalServiceUnavailable("Not ready", details={"checks": checks})
    return Readiness(DEGRADED if failing else OK, checks)


def database_fault() -> DatabaseFault | None:
    """Why the database would refuse a write; None if it would accept it."""
    try:
        with transaction.read_only():
            return find_fault()
    except SQLAlchemyError as error:
        return fault_of(error) or DatabaseFault.UNREACHABLE


def _fault_of_checks() -> DatabaseFault | None:
    """Test that keys can be read in time: another client may hold a lock of their table."""
    try:
        current_checker().lookup.find_key(bytes(32))
    except ExternalServiceUnavailable:
        return DatabaseFault.FROZEN
    return None


def _counters_name() -> str:
    return "redis" if settings().redis_url else "counters"


def counters_state() -> str:
    """Ask the counters whether they count; returns `ok`, or what is wrong with them."""
    try:
        current_limits().counters.ping()
    except CountersUnavailable as error:
        log.warning("the counters did not answer", extra={"cause": str(error)})
        return error.state
    return OK
