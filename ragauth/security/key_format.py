"""The form of an API key: `rag_live_` + 30 random characters + 6 of checksum, all base62.

A key that a compat face made may start with that vendor's prefix instead, `rst_`, or with one that
the operator chose, `acme_` or `sk_live_`.
The checksum is the CRC-32 (zlib's) of all that stands before it: a mistyped key is refused
without asking the database, and a leak scanner knows a real key from a look-alike.
"""

import hashlib
import re
import secrets
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH = 30  # log2(62 ** 30) = 178 bits
CHECKSUM_LENGTH = 6
SHOWN_LENGTH = 4

# Two digits at a time: six divisions would cost more than the CRC.
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_PAIR_BASE = len(_PAIRS)

LIVE = "live"
TEST = "test"
PUBLISHABLE = "pub"
SERVICE = "svc"
_FOREIGN = re.compile(r"[!-~]{8,256}")
TAGS = (LIVE, TEST, PUBLISHABLE, SERVICE)

# Another vendor's keys start so, without brand and tag: `rst_` + the same 36 characters. Known
# always, not only while that compat face is on: a setting must not kill the keys made there.
RST = "rst"
UNBRANDED = (RST,)
# What an operator may choose in the place of brand and tag, 16 characters at most.
_CHOSEN = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,15}")


def new_key(brand: str, tag: str) -> str:
    """A new raw key; `tag` is one of TAGS, or what the key begins with instead of brand and tag."""
    return new_key_after(f"{brand}_{tag}" if tag in TAGS else tag)


def new_key_after(prefix: str) -> str:
    """A new raw key that begins with this prefix and a `_`."""
    unchecked = f"{prefix}_{_random_digits()}"
    return unchecked + checksum(unchecked)


def _random_digits() -> str:
    """RANDOM_LENGTH digits of one random number: one call of the kernel instead of thirty."""
    rest = secrets.randbelow(len(ALPHABET) ** RANDOM_LENGTH)
    pairs = []
    for _ in range(RANDOM_LENGTH // 2):
        rest, pair = divmod(rest, _PAIR_BASE)
        pairs.append(_PAIRS[pair])
    return "".join(pairs)


def is_possible_prefix(text: str, brand: str) -> bool:
    """Whether an operator may choose this as the beginning of a key, without its last `_`."""
    ours = {start.removesuffix("_") for start in prefixes_of(brand)}
    return _CHOSEN.fullmatch(text) is not None and text not in ours


def checksum(unchecked: str) -> str:
    """Six base62 digits of the CRC-32, left-padded with `0`."""
    rest, low = divmod(zlib.crc32(unchecked.encode("ascii")), _PAIR_BASE)
    high, middle = divmod(rest, _PAIR_BASE)
    return _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]


def is_well_formed(presented_key: str, brand: str) -> bool:
    """Whether it has the form of this brand's keys, checksum included."""
    return (
        _pattern(brand).fullmatch(presented_key) is not None
        and checksum(presented_key[:-CHECKSUM_LENGTH]) == presented_key[-CHECKSUM_LENGTH:]
    )


def is_foreign(presented_key: str, brand: str) -> bool:
    """Whether it can only be another system's key: plausible, and not of this brand's form.

    One of this brand's form whose checksum is wrong is a mistyped key, never a foreign one.
    """
    return (
        _FOREIGN.fullmatch(presented_key) is not None
        and _pattern(brand).fullmatch(presented_key) is None
    )


def resembles_key(credential: str, brand: str) -> bool:
    """Whether it was meant as one of this brand's keys, well formed or not."""
    return find_start(credential, brand) is not None


def find_start(text: str, brand: str) -> str | None:
    """`rag_live_` and the like, where a text begins with what this brand's keys begin with."""
    return next((start for start in prefixes_of(brand) if text.startswith(start)), None)


def prefixes_of(brand: str) -> tuple[str, ...]:
    """How keys may begin."""
    return (*(f"{brand}_{tag}_" for tag in TAGS), *(f"{tag}_" for tag in UNBRANDED))


def is_token_shaped(credential: str) -> bool:
    """Whether it was meant as a JWT: three parts between two dots, the first one of JSON."""
    return credential.startswith("eyJ") and credential.count(".") == 2


def unbranded_tag(prefix: str, brand: str) -> str | None:
    """What the keys with this display prefix begin with instead of the brand, if anything."""
    tag = prefix.rpartition("_")[0]
    return tag if tag in UNBRANDED or is_possible_prefix(tag, brand) else None


def digest_key(presented_key: str) -> bytes:
    """The SHA-256 of the whole raw key: what is stored and looked up."""
    return hashlib.sha256(presented_key.encode("utf-8", "surrogatepass")).digest()


def digest_after(text_before: str, digest: bytes) -> bytes:
    """What is stored of a key of which another system hashed only the part after `text_before`.

    `digest` is the SHA-256 of that part. It is not stored itself: the part alone, and the part
    after any other text, would then be keys too. No text in UTF-8 has the byte 0xff, so the result
    is not the digest of a text that can be presented.
    """
    return hashlib.sha256(b"\xff" + text_before.encode() + b"\xff" + digest).digest()


def digests_after(presented_key: str, texts_before: Iterable[str]) -> Iterator[bytes]:
    """What is stored of the key, for each of the texts after which its rest may be hashed."""
    for text in texts_before:
        if presented_key.startswith(text):
            yield digest_after(text, digest_key(presented_key[len(text) :]))


def display_prefix(raw_key: str) -> str:
    """What may be shown of a key: its kind and its first four random characters."""
    return raw_key[: -(RANDOM_LENGTH + CHECKSUM_LENGTH - SHOWN_LENGTH)]


@lru_cache(maxsize=8)
def _pattern(brand: str) -> re.Pattern[str]:
    tags, unbranded = "|".join(TAGS), "|".join(UNBRANDED)
    length = RANDOM_LENGTH + CHECKSUM_LENGTH
    return re.compile(f"(?:{re.escape(brand)}_(?:{tags})|{unbranded})_[0-9A-Za-z]{{{length}}}")
