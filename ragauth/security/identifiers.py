"""Identifiers: UUIDv7 in the database, `acc_01h455vb4pex5vsknk084sn02q` on the wire.

Sources: RFC 9562 sections 5.7 and 6.2 (method 3), the TypeID specification 0.3.
"""

import base64
import secrets
import uuid
from datetime import UTC, datetime, timedelta

from ragauth import clock

ACCOUNT = "acc"
SESSION = "ses"
KEY = "key"
AGENT = "agt"
EVENT = "evt"
WEBHOOK = "whk"
MESSAGE = "msg"
# Of no row: a place in the feed of events.
FEED = "feed"
# Before an external id, in the place of an account's id.
EXTERNAL = "ext:"

_BASE32HEX = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _CROCKFORD for second in _CROCKFORD)
_TO_BASE32HEX = str.maketrans(_CROCKFORD, _BASE32HEX)
SUFFIX_LENGTH = 26
_LOW_BITS = (1 << 70) - 1
_EPOCH = datetime.fromtimestamp(0, UTC)


def new_uuid() -> uuid.UUID:
    """A UUIDv7 whose order is that of time, to a quarter of a microsecond."""
    return _uuid_at(clock.now_ns() * 4096 // 1_000_000, secrets.randbits(62))


def new_uuids(count: int) -> list[uuid.UUID]:
    """So many for one moment, in ascending order: each a quarter of a microsecond later."""
    first = clock.now_ns() * 4096 // 1_000_000
    noise = secrets.token_bytes(8 * count)
    return [
        _uuid_at(first + number, int.from_bytes(noise[8 * number : 8 * number + 8], "big") >> 2)
        for number in range(count)
    ]


def _uuid_at(ticks: int, noise: int) -> uuid.UUID:
    """Of a time in 4096ths of a millisecond, and 62 random bits."""
    return uuid.UUID(
        int=(ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | noise
    )


def first_uuid_at(moment: datetime) -> uuid.UUID:
    """The smallest UUIDv7 of a moment: what is older has a smaller one (to a millisecond)."""
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    return uuid.UUID(int=max(0, milliseconds) << 80 | 0x7 << 76 | 0b10 << 62)


def encode_id(kind: str, identifier: uuid.UUID) -> str:
    """`kind`, an underscore and 26 characters of lower-case Crockford base32."""
    return f"{kind}_{encode_suffix(identifier.int)}"


def encode_bytes(kind: str, identifier: bytes) -> str:
    """The same for the 16 bytes of a UUID."""
    return f"{kind}_{encode_suffix(int.from_bytes(identifier, 'big'))}"


def encode_suffix(value: int) -> str:
    """128 bits, most significant first, as 26 base32 digits."""
    # Two digits, ten bits, at a time; two halves, for small numbers are quicker.
    high, low, pairs = value >> 70, value & _LOW_BITS, _PAIRS
    return (
        f"{pairs[high >> 50]}{pairs[high >> 40 & 1023]}{pairs[high >> 30 & 1023]}"
        f"{pairs[high >> 20 & 1023]}{pairs[high >> 10 & 1023]}{pairs[high & 1023]}"
        f"{pairs[low >> 60]}{pairs[low >> 50 & 1023]}{pairs[low >> 40 & 1023]}"
        f"{pairs[low >> 30 & 1023]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}"
        f"{pairs[low & 1023]}"
    )


def decode_id(kind: str, text: str) -> uuid.UUID:
    """The UUID of an identifier of this kind.

    Raises ValueError for anything else.
    """
    prefix, separator, suffix = text.partition("_")
    if prefix != kind or not separator:
        raise ValueError(f"not an identifier that starts with {kind}_")
    return decode_suffix(suffix)


def id_range(kind: str, text: str) -> tuple[uuid.UUID, uuid.UUID]:
    """The first and the last UUID whose identifier begins so, or the one of a plain UUID twice.

    Raises ValueError for what no identifier of this kind begins with.
    """
    prefix, separator, begun = text.partition("_")
    if not separator:
        only = uuid.UUID(text)
        return only, only
    if prefix != kind or not begun:
        raise ValueError(f"not the beginning of an identifier that starts with {kind}_")
    return (
        decode_suffix(begun.ljust(SUFFIX_LENGTH, _CROCKFORD[0])),
        decode_suffix(begun.ljust(SUFFIX_LENGTH, _CROCKFORD[-1])),
    )


def decode_suffix(suffix: str) -> uuid.UUID:
    """The UUID of 26 base32 digits.

    Raises ValueError for any other text.
    """
    if len(suffix) != SUFFIX_LENGTH or not set(suffix) <= set(_CROCKFORD) or suffix[0] > "7":
        raise ValueError("not 26 characters of lower-case Crockford base32")
    padded = suffix.translate(_TO_BASE32HEX) + "000000"
    return uuid.UUID(int=int.from_bytes(base64.b32hexdecode(padded), "big") >> 30)
