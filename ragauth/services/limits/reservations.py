"""Reservations: what a check reserved is replaced by what was used, once it is known."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ragauth import clock
from ragauth.counters import CountersUnavailable
from ragauth.errors import (
    InvalidRequest,
    NoSuchReservation,
    ReservationOver,
    ReservationSettled,
)
from ragauth.policy.policy_file import METER_NAME
from ragauth.services.limits.limits import current_limits, unavailable
from ragauth.services.limits.reservation_ids import decode_reservation
from ragauth.services.limits.takings import encode_uses


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a reservation came to, by meter; `released` is what was given back."""

    reservation_id: str
    used: Mapping[str, int]
    released: Mapping[str, int]


def settle(*, reservation_id: str, use: Mapping[str, int]) -> Settlement:
    """Replace what was reserved by what was used; a meter that is left out was not used.

    The same call again has the same answer. Raises NoSuchReservation, ReservationOver,
    ReservationSettled for another amount, InvalidRequest for a meter that was not reserved.
    """
    # The stores know names of meters alone.
    if others := [meter for meter in use if METER_NAME.fullmatch(meter) is None]:
        raise _not_reserved(others)
    found = decode_reservation(reservation_id)
    if found is None:
        raise NoSuchReservation
    now_ms = clock.now_ns() // 1_000_000
    try:
        settled = current_limits().counters.settle(
            found.account, found.token, encode_uses(use), now_ms, found.store
        )
    except CountersUnavailable as error:
        raise unavailable(error) from error
    if settled.outcome == "unknown":
        raise NoSuchReservation
    if settled.outcome == "over":
        raise ReservationOver
    if settled.outcome == "other_amount":
        raise ReservationSettled
    if settled.outcome == "no_meter":
        raise _not_reserved(meter.decode() for meter, _amount in settled.used)
    return Settlement(
        reservation_id,
        {meter.decode(): amount for meter, amount in settled.used},
        {meter.decode(): amount for meter, amount in settled.released},
    )


def _not_reserved(meters: Iterable[str]) -> InvalidRequest:
    message = "Nothing was reserved of this meter"
    return InvalidRequest({"path": ["use", meter], "message": message} for meter in meters)
