"""Fields of an account: its address, its names, its password, the operator's name for it."""

import re
from typing import Any
from urllib.parse import unquote

from marshmallow import ValidationError

from ragauth.schemas.fields import Id, Name, Text, is_unstorable
from ragauth.security import emails, passwords
from ragauth.security.identifiers import ACCOUNT, EXTERNAL
from ragauth.security.normal_forms import TextTooLong
from ragauth.security.plain_text import find_deceptive


class Email(Text):
    """An address; the loaded value is as it was sent, trimmed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=emails.MAX_LENGTH, trimmed=True, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        try:
            emails.canonical_email(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        if find_deceptive(text) is not None:
            raise ValidationError("Not a valid email address")
        return text


class Username(Text):
    FORM = re.compile(r"[A-Za-z0-9]{3,50}")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=1000, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        if self.FORM.fullmatch(text) is None:
            raise ValidationError("Must be 3 to 50 letters (a-z, A-Z) and digits")
        return text


class NewPassword(Text):
    """A password that is to be set: its length counts after NFKC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=64 * 1024, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        try:
            length = len(passwords.normalise_password(text))
        except TextTooLong as error:
            raise ValidationError(
                f"Must be at most {passwords.MAX_LENGTH} characters long"
            ) from error
        if length < passwords.MIN_LENGTH:
            raise ValidationError(f"Must be at least {passwords.MIN_LENGTH} characters long")
        return text


class PresentedPassword(Text):
    """A password that is to be checked: any string, for what is wrong is simply wrong."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=64 * 1024, **kwargs)


def external_id_in(named: str) -> str | None:
    """What an operator calls an account that is named by `ext:` and its external id, else None.

    Any text may be asked for. What no account can be called is "", which none is called.
    """
    if not named.startswith(EXTERNAL):
        return None
    external_id = named.removeprefix(EXTERNAL)
    return "" if is_unstorable(external_id) else external_id


class AccountName(Id):
    """An account by its id, loaded as a UUID, or by its external id, loaded as a string."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ACCOUNT, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        external_id = external_id_in(value)
        if external_id is not None:
            return external_id
        try:
            return super()._deserialize(value, *args, **kwargs)
        except ValidationError as error:
            raise ValidationError(f"{error}, or {EXTERNAL} and an external id") from error


class AccountInPath(AccountName):
    """As the segment of a path; an external id is percent-escaped UTF-8 there."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value.startswith(EXTERNAL):
            # A byte that is no UTF-8 becomes a lone surrogate, which no account's name has.
            value = unquote(value, errors="surrogateescape")
        return super()._deserialize(value, *args, **kwargs)


class ExternalId(Name):
    """The operator's own name for an account: compared as it is, so white space around it, which
    nobody sees, is a fault.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(minimum=1, maximum=255, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        if text != text.strip():
            raise ValidationError("May not begin or end with white space")
        return text
