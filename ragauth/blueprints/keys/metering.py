"""What a service tells of use that is known only afterwards."""

from typing import Any

from ragauth.blueprints.keys.blueprint import check
from ragauth.errors import NoSuchReservation, ReservationOver, ReservationSettled
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.metering import (
    ReportedSchema,
    SettledSchema,
    SettlementSchema,
    UsageReportSchema,
)
from ragauth.security.scopes import VERIFY
from ragauth.services.limits import reports, reservations
from ragauth.services.limits.reports import Outcome
from ragauth.services.limits.reservations import Settlement
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

TAG = "Key check"


@check.post("/usage/settle")
@endpoint(
    guard=service_key(VERIFY),
    body=SettlementSchema,
    data=SettledSchema,
    errors=(NoSuchReservation, ReservationOver, ReservationSettled),
)
def settle_reservation(caller: KeyFacts, body: dict[str, Any]) -> Settlement:  # noqa: ARG001
    """Replace what a check reserved by what was used; the rest is given back at once.

    The same call again has the same answer.
    """
    return reservations.settle(reservation_id=body["reservation_id"], use=dict(body["use"]))


@check.post("/usage/report")
@endpoint(guard=service_key(VERIFY), body=UsageReportSchema, data=ReportedSchema)
def report_usage(caller: KeyFacts, body: dict[str, Any]) -> Outcome:  # noqa: ARG001
    """Count what keys have used already; never refused for a limit, which the next check is.

    Each event counts once in 48 hours, however often it is sent.
    """
    return reports.report(body["events"])
