"""E-mail addresses: what is one, and when two are the same."""

from typing import TYPE_CHECKING

from ragauth.security.normal_forms import fold, require_short

if TYPE_CHECKING:
    from email_validator import ValidatedEmail

MAX_LENGTH = 256


def canonical_email(email: str) -> str:
    """The form in which two spellings of one address are equal: trimmed, NFKC, case folded.

    Raises ValueError, worded for the sender, for what is not an address. No DNS is asked. Names
    that never take mail (`localhost`, `.invalid`, a bare host name) are refused; `.test` is not.
    """
    try:
        address = _parse(email.strip())
        canonical = fold(f"{address.local_part}@{address.domain}", longest=MAX_LENGTH)
    except ValueError as error:
        raise ValueError("Not a valid email address") from error
    if "." not in address.domain:
        raise ValueError("Not a valid email address")
    # NFKC turns some single characters into up to 18.
    if len(canonical) > MAX_LENGTH or any(character.isspace() for character in canonical):
        raise ValueError("Not a valid email address")
    return canonical


def canonical_username(username: str) -> str:
    return username.lower()


def split_address(email: str) -> tuple[str, str]:
    """Local part and domain as a mail server wants them: the domain in ASCII (RFC 5891)."""
    local_part, _, domain = email.rpartition("@")
    if not domain.isascii():
        address = _parse(email)
        return address.local_part, address.ascii_domain
    return local_part, domain


def _parse(email: str) -> "ValidatedEmail":
    """Raises ValueError. The library normalises what it reads, so the length comes first."""
    # Its patterns take long to compile, and most processes read no address.
    from email_validator import validate_email  # noqa: PLC0415

    require_short(email, longest=MAX_LENGTH)
    return validate_email(email, check_deliverability=False, test_environment=True)
