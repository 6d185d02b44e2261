"""The ids of reservations: opaque text that says where the reservation is kept."""

import base64
import re
from typing import NamedTuple

_PREFIX = "rsv_"
_ACCOUNT_BYTES = _TOKEN_BYTES = 16
_FORM = re.compile(r"rsv_([A-Za-z0-9_-]{43,196})")


class ReservationId(NamedTuple):
    """The account (16 bytes), the reservation's random name (16 bytes), the store that keeps it.

    The account tells a Redis Cluster the slot.
    """

    account: bytes
    token: bytes
    store: str


def encode_reservation(account: bytes, token: bytes, store: str) -> str:
    """The id as it is told: up to 200 characters, without any that a header or a URL escapes."""
    packed = base64.urlsafe_b64encode(account + token + store.encode())
    return _PREFIX + packed.rstrip(b"=").decode()


def decode_reservation(text: str) -> ReservationId | None:
    """What the id says; None for a text that is no id."""
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    try:
        packed = base64.urlsafe_b64decode(form[1] + "=" * (-len(form[1]) % 4))
        names = packed[_ACCOUNT_BYTES + _TOKEN_BYTES :].decode()
    except ValueError:
        return None
    found = ReservationId(packed[:_ACCOUNT_BYTES], packed[_ACCOUNT_BYTES:][:_TOKEN_BYTES], names)
    # Another spelling of the same bytes is not an id that was told.
    return found if encode_reservation(*found) == text else None
