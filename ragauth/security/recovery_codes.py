"""Recovery codes: 60 random bits in three groups, `7g3k-x9qm-02bn`, if the device is lost."""

import hmac
import re
import secrets

from ragauth.security.passwords import derive_key

COUNT = 10
# Crockford's base32: no I, L, O or U, and what is easily misread counts as what was meant.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_MISREAD = str.maketrans("ilo", "110")
_GROUPS, _GROUP_LENGTH = 3, 4
_SEPARATORS = re.compile(r"[\s-]")
_FORM = re.compile(f"[{_ALPHABET}]{{{_GROUPS * _GROUP_LENGTH}}}")


def new_code() -> str:
    return "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
    )


def normalise_code(text: str) -> str | None:
    """A typed code in the form in which it was given out; None for a text that cannot be one."""
    digits = without_separators(text).lower().translate(_MISREAD)
    if _FORM.fullmatch(digits) is None:
        return None
    starts = range(0, len(digits), _GROUP_LENGTH)
    return "-".join(digits[start : start + _GROUP_LENGTH] for start in starts)


def without_separators(text: str) -> str:
    """A code of either kind without the spaces and hyphens that make it easier to read."""
    return _SEPARATORS.sub("", text)


def digest_code(code: str, *, totp_secret: str) -> bytes:
    """HMAC-SHA-256 of a code as it was given out.

    The key is derived from the account's TOTP secret, which is sealed: a thief of the database
    alone cannot try codes, and a code is of no use for another account or another factor.
    """
    key = derive_key(totp_secret.encode("ascii"), "ragauth recovery codes")
    return hmac.digest(key, code.encode("ascii"), "sha256")
