"""Can this process serve, and does everything work that works beside the requests?"""

import logging
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from ragauth import transaction
from ragauth.counters import CountersUnavailable
from ragauth.database_faults import DatabaseFault, fault_of
from ragauth.errors import ExternalServiceUnavailable
from ragauth.extensions import settings
from ragauth.models.database_probe import find_fault
from ragauth.services.keys.check import current_checker
from ragauth.services.limits.limits import current_limits
from ragauth.services.troubles import failing_works

log = logging.getLogger("ragauth")

OK = "ok"
DEGRADED = "degraded"
# What fails without a client's being refused: no reason to take a host out of service.
_BESIDE = ("usage", "mail")


class Readiness(NamedTuple):
    """`ok`, or `degraded` where only what is done beside the requests fails; each check's state."""

    status: str
    checks: dict[str, str]


def check_all() -> Readiness:
    """Each thing that is needed, by name, with its state.

    Raises ExternalServiceUnavailable, with the same in its details, when requests cannot be
    answered.
    """
    fault = database_fault() or _fault_of_checks()
    needed = {"database": fault.value if fault else OK, _counters_name(): _counters()}
    failing = failing_works()
    checks = needed | {work: failing.get(work, OK) for work in _BESIDE}
    if any(state != OK for state in needed.values()):
        log.warning("not ready", extra={"checks": checks})
        raise ExternalServiceUnavailable("Not ready", details={"checks": checks})
    return Readiness(DEGRADED if failing else OK, checks)


def database_fault() -> DatabaseFault | None:
    """Why the database would not take what is written; None where it would."""
    try:
        with transaction.read_only():
            return find_fault()
    except SQLAlchemyError as error:
        return fault_of(error) or DatabaseFault.UNREACHABLE


def _fault_of_checks() -> DatabaseFault | None:
    """Whether keys can be read in time: another may hold the lock of their table alone."""
    try:
        current_checker().lookup.find_key(bytes(32))
    except ExternalServiceUnavailable:
        return DatabaseFault.FROZEN
    return None


def _counters_name() -> str:
    return "redis" if settings().redis_url else "counters"


def _counters() -> str:
    try:
        current_limits().counters.ping()
    except CountersUnavailable as error:
        log.warning("the counters did not answer", extra={"cause": str(error)})
        return error.state
    return OK
