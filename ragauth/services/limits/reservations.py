"""Reservations: what a check reserved is replaced by what was used, once it is known."""

from collections.abc import Mapping
from dataclasses import dataclass

from ragauth import clock
from ragauth.counters import CountersUnavailable
from ragauth.errors import (
    InvalidRequest,
    NoSuchReservation,
    ReservationOver,
    ReservationSettled,
)
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
        raise _not_reserved(use)
    return Settlement(
        reservation_id,
        {meter.decode(): amount for meter, amount in settled.used},
        {meter.decode(): amount for meter, amount in settled.released},
    )


def _not_reserved(use: Mapping[str, int]) -> InvalidRequest:
    path = ["use", *use] if len(use) == 1 else ["use"]
    return InvalidRequest([{"path": path, "message": "Nothing was reserved of this meter"}])
