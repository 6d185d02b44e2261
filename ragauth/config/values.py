"""Checks of settings' values, and the messages for faulty ones."""

import logging
import re
from collections.abc import Callable, Iterable
from email.utils import parseaddr
from pathlib import Path

from marshmallow import ValidationError, validate

from ragauth.security.origins import canonical_origin
from ragauth.security.plain_text import escape_deceptive

log = logging.getLogger("ragauth")


class SettingsError(Exception):
    """One or more settings are missing or malformed; one line for each."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\nragauth: ".join(map(escape_deceptive, faults)))


_TEN_YEARS = 315_360_000
SECONDS = validate.Range(1, _TEN_YEARS, error="must be 1 second to 10 years")
_VISIBLE = re.compile(r"[!-~]*")
# The names of the folders in `ragauth.blueprints.compat`.
COMPAT_FACES = ("ragchats", "rst", "unkey")
POSITIVE = validate.Range(min=1, error="must be at least 1")
COUNT = validate.Range(min=0, error="must be 0 (off) or more")
POOLER = validate.OneOf(("transaction",), error="must be transaction, or empty for none")
LEAKED_KEYS = validate.OneOf(("notify", "revoke"), error="must be notify or revoke")
BRAND = validate.Regexp(r"^[a-z][a-z0-9]{1,15}\Z", error="must be 2 to 16 of a-z and 0-9")


def origins_in(text: str) -> tuple[str, ...]:
    """The origins of a list, in the form that browsers send.

    They are separated by commas or white space. Raises ValidationError for one that no browser
    sends.
    """
    origins = []
    for listed in text.replace(",", " ").split():
        try:
            origins.append(canonical_origin(listed))
        except ValueError as error:
            raise ValidationError(f"{listed!r} matches no page: {error}") from error
    return tuple(dict.fromkeys(origins))


def each_is_one_of(*known: str) -> Callable[[tuple[str, ...]], None]:
    def check(names: tuple[str, ...]) -> None:
        for name in names:
            if name not in known:
                raise ValidationError(f"{name!r} is none of {', '.join(known)}")

    return check


def is_file(path: Path) -> None:
    if not path.is_file():
        raise ValidationError(f"there is no file {path}")


def is_bearer_token(value: str) -> None:
    """Require text that can follow `Bearer ` in a header: RFC 6750 section 2.1, slightly wider."""
    if _VISIBLE.fullmatch(value) is None:
        raise ValidationError("must be of printable ASCII characters, without spaces")


def is_mailbox(value: str) -> None:
    """Require an address, with or without a name before it (RFC 5322 section 3.4)."""
    _, address = parseaddr(value)
    if "@" not in address.strip("@") or any(not character.isprintable() for character in value):
        raise ValidationError("must be an address such as Example <no-reply@example.com>")


def warn_of_white_space(names: Iterable[str]) -> None:
    """Warn of dropped white space: a value from a file often ends with an invisible newline."""
    for name in names:
        log.warning(f"{name}: the white space around its value was dropped")
